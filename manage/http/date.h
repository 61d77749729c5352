/*
 * Dates as HTTP has them (RFC 9110, 5.6.7). Pure.
 */
#ifndef MANAGE_HTTP_DATE_H
#define MANAGE_HTTP_DATE_H

#include <stdint.h>

#define HTTP_DATE_SIZE 30u

/** Writes "Sun, 06 Nov 1994 08:49:37 GMT" of seconds since 1970-01-01 UTC, before the year 10000.
 */
void http_date(uint64_t seconds, char text[HTTP_DATE_SIZE]);

#endif
