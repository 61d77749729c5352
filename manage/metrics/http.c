#include <stdio.h>

#include "manage/http/server.h"
#include "manage/metrics/families.h"

#define NUMBER_SIZE 12u

void metrics_of_http(struct metrics_text *text)
{
    metrics_family(text, "innkeeper_http_answers_total", "counter",
                   "Requests by the status of their answer, for each status that there was.");
    for (unsigned status = HTTP_STATUS_MIN; status < HTTP_STATUS_MAX; status++) {
        uint64_t count = http_server_answers(status);
        char number[NUMBER_SIZE];

        if (count) {
            snprintf(number, sizeof(number), "%u", status);
            metrics_integer(text, "", METRICS_LABELS({"code", number}), count);
        }
    }
    metrics_one(text, "innkeeper_http_connections", "gauge", "Connections to the HTTP server.",
                http_server_connections());
    metrics_one(text, "innkeeper_http_streams", "gauge",
                "WebSockets and streams of events among them.", http_server_streams());
}
