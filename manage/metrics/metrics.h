/*
 * /metrics: what the machine and its VMs do, for Prometheus (docs/metrics.md).
 */
#ifndef MANAGE_METRICS_METRICS_H
#define MANAGE_METRICS_METRICS_H

#include "manage/http/http.h"

#define METRICS_ROUTES 1u
extern const struct http_route metrics_routes[METRICS_ROUTES];

#endif
