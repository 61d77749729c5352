#include "manage/metrics/metrics.h"

#include <string.h>

#include "manage/machine.h"
#include "manage/metrics/families.h"

static void answer_metrics(const struct http_request *request, struct http_answer *answer)
{
    static struct machine_host host;
    static const char no_memory[] = "There is no memory to say it.\n";
    struct metrics_text text = {.answer = answer};

    machine()->host(&host);
    http_add_field(answer, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    metrics_of_host(&text, machine(), &host);
    metrics_of_network(&text, &host.network);
    metrics_of_http(&text);
    metrics_of_access(&text, request->now);
    metrics_of_syslog(&text);
    if (metrics_of_vms(&text, machine(), host.tsc_hz)) {
        http_clear_body(answer);
        http_status(answer, 503);
        http_write(answer, no_memory, strlen(no_memory));
    }
}

const struct http_route metrics_routes[METRICS_ROUTES] = {
    {.path = "/metrics",
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_READ,
     .handle = answer_metrics},
};
