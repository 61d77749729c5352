/*
 * Lines of the log as messages of the syslog protocol (RFC 5424), and where they go. Pure.
 */
#ifndef MANAGE_SYSLOG_MESSAGE_H
#define MANAGE_SYSLOG_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/log.h"

#define SYSLOG_SERVER_SIZE  128u
#define SYSLOG_MESSAGE_SIZE 480u /* what every server takes (6.1) */

struct syslog_server {
    char host[SYSLOG_SERVER_SIZE]; /* name or address; "": none */
    uint16_t port;
};

/** Takes `syslog=HOST[:PORT]` from the kernel's command line; an IPv6 address with a port stands in
 * brackets. NULL, or what is wrong; then there is no server, as when there is no such option. */
const char *syslog_parse(const char *cmdline, struct syslog_server *server);

struct syslog_line {
    enum log_level level;
    const char *text;  /* what begins with "audit: " goes to the facility for that */
    uint64_t uptime;   /* ns since boot */
    uint64_t when;     /* ns since 1970-01-01 UTC; 0: nobody knows the date */
    uint32_t sequence; /* from 1 up */
};

/** Writes the message, without a NUL; returns its length. */
size_t syslog_format(const struct syslog_line *line, const char *hostname,
                     char out[static SYSLOG_MESSAGE_SIZE]);

#endif
