/*
 * What a request is for: the target of its first line (RFC 9112, 3.2; RFC 3986). Pure.
 */
#ifndef MANAGE_HTTP_TARGET_H
#define MANAGE_HTTP_TARGET_H

#include <stdbool.h>

struct http_target {
    char *host;  /* of a target with scheme and host; NULL: the field Host tells */
    char *path;  /* decoded and normalised as http.h says; "*" of OPTIONS for the server itself */
    char *query; /* as sent */
};

/** Takes `text` apart, in its place. False: it is no target. */
bool http_target_parse(char *text, struct http_target *target);

/** Whether this can be the value of Host: a name or an address, maybe with a port. */
bool http_is_host(const char *text);

#endif
