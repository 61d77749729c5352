#include "manage/syslog/message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guest/devices/rtc_calendar.h"
#include "kernel/cmdline.h"

#define PORT_DEFAULT 514u
#define PORT_MAX     65535u

/* RFC 5424, 6.2.1. */
#define FACILITY_DAEMON   3u
#define FACILITY_AUTHPRIV 10u
#define FACILITY_SHIFT    3u /* of the facility in the priority */

#define AUDIT "audit: "

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_US     UINT64_C(1000)
#define NS_PER_CENTI  UINT64_C(10000000) /* sysUpTime's unit */
#define TIME_SIZE     48u

static const char *parse_port(const char *text, uint16_t *port)
{
    unsigned number = 0;

    for (; *text >= '0' && *text <= '9' && number <= PORT_MAX; text++) {
        number = number * 10 + (unsigned)(*text - '0');
    }
    if (*text || number == 0 || number > PORT_MAX) {
        return "want a port from 1 to 65535";
    }
    *port = (uint16_t)number;
    return NULL;
}

const char *syslog_parse(const char *cmdline, struct syslog_server *server)
{
    char value[SYSLOG_SERVER_SIZE];
    char *host = value;
    char *end;
    const char *wrong = NULL;

    *server = (struct syslog_server){.port = PORT_DEFAULT};
    if (!cmdline_option(cmdline, "syslog", value, sizeof(value))) {
        return NULL;
    }
    end = strchr(value, ':');
    if (*value == '[') {
        host++;
        end = strchr(value, ']');
        if (!end) {
            return "the address has no ] at its end";
        }
        *end++ = '\0';
        if (*end != ':' && *end) {
            return "want nothing but a port behind the address";
        }
    } else if (end && strchr(end + 1, ':')) {
        end = NULL; /* an IPv6 address without brackets */
    }
    if (end && *end == ':') {
        *end = '\0';
        wrong = parse_port(end + 1, &server->port);
    }
    if (!wrong && !*host) {
        wrong = "want a server's name or address";
    }
    if (!wrong) {
        memcpy(server->host, host, strlen(host) + 1);
    }
    return wrong;
}

static unsigned severity(enum log_level level)
{
    switch (level) {
    case LOG_ERROR:
        return 3;
    case LOG_WARN:
        return 4;
    case LOG_DEBUG:
        return 7;
    case LOG_INFO:
        break;
    }
    return 6;
}

static void format_time(uint64_t when, char out[TIME_SIZE])
{
    struct rtc_time time;

    if (when == 0) {
        snprintf(out, TIME_SIZE, "-");
        return;
    }
    rtc_time_from_seconds((int64_t)(when / NS_PER_SECOND), &time);
    snprintf(out, TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%06luZ", (unsigned)time.year,
             time.month, time.day, time.hour, time.minute, time.second,
             when % NS_PER_SECOND / NS_PER_US);
}

size_t syslog_format(const struct syslog_line *line, const char *hostname,
                     char out[static SYSLOG_MESSAGE_SIZE])
{
    bool audit = strncmp(line->text, AUDIT, strlen(AUDIT)) == 0;
    unsigned facility = audit ? FACILITY_AUTHPRIV : FACILITY_DAEMON;
    char time[TIME_SIZE];
    char message[SYSLOG_MESSAGE_SIZE + 1];
    int length;

    format_time(line->when, time);
    /* sysUpTime has 31 bits (RFC 3418: TimeTicks wrap). */
    length = snprintf(message, sizeof(message),
                      "<%u>1 %s %s innkeeper - %s [meta sequenceId=\"%u\" sysUpTime=\"%lu\"] %s",
                      facility << FACILITY_SHIFT | severity(line->level), time, hostname,
                      audit ? "audit" : "log", line->sequence,
                      line->uptime / NS_PER_CENTI & INT32_MAX, line->text);
    if (length < 0) {
        return 0;
    }
    if ((size_t)length > SYSLOG_MESSAGE_SIZE) {
        length = SYSLOG_MESSAGE_SIZE;
    }
    memcpy(out, message, (size_t)length);
    return (size_t)length;
}
