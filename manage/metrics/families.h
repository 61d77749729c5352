/*
 * The families of /metrics. The network's thread.
 */
#ifndef MANAGE_METRICS_FAMILIES_H
#define MANAGE_METRICS_FAMILIES_H

#include "manage/machine.h"
#include "manage/metrics/text.h"

void metrics_of_host(struct metrics_text *text, const struct machine *machine,
                     const struct machine_host *host);
void metrics_of_network(struct metrics_text *text, const struct net_status *network);
void metrics_of_http(struct metrics_text *text);
void metrics_of_access(struct metrics_text *text, uint64_t now);
void metrics_of_syslog(struct metrics_text *text);
/** 0; -ENOMEM: nothing was written. */
int metrics_of_vms(struct metrics_text *text, const struct machine *machine, uint64_t tsc_hz);

#endif
