#include "manage/access/access.h"

#include "manage/metrics/families.h"
#include "manage/syslog/syslog.h"

void metrics_of_access(struct metrics_text *text, uint64_t now)
{
    struct access_counters counters;

    access_count(now, &counters);
    metrics_one(text, "innkeeper_access_failures_total", "counter", "Wrong passwords.",
                counters.wrong);
    metrics_one(text, "innkeeper_access_refusals_total", "counter",
                "Passwords that were not looked at, after too many wrong ones.", counters.too_many);
    metrics_one(text, "innkeeper_access_sessions", "gauge", "Sessions that have not ended.",
                counters.sessions);
}

void metrics_of_syslog(struct metrics_text *text)
{
    struct syslog_counters counters;

    if (!syslog_count(&counters)) {
        return;
    }
    metrics_one(text, "innkeeper_syslog_messages_total", "counter",
                "Messages sent to the syslog server.", counters.sent);
    metrics_one(text, "innkeeper_syslog_lost_total", "counter",
                "Lines that the log had lost before they were sent.", counters.lost);
}
