/*
 * Sends the log, and the audit trail in it, to a syslog server by UDP: from the first line on that
 * the log still has when there is a network, as fast as a server may be expected to take it. What
 * the log has lost meanwhile is counted and told. The network's thread.
 */
#ifndef MANAGE_SYSLOG_SYSLOG_H
#define MANAGE_SYSLOG_SYSLOG_H

#include <stdbool.h>
#include <stdint.h>

/** Reads the setting (manage/syslog/message.h); what is wrong is logged. */
void syslog_start(const char *cmdline);

struct syslog_counters {
    uint64_t sent; /* messages */
    uint64_t lost; /* lines that the log had lost before they were sent */
};

/** Since the start; false if there is no server. */
bool syslog_count(struct syslog_counters *counters);

/** Goes on: a few times a second. */
void syslog_run(void);

#endif
