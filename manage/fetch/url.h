/*
 * Addresses of files: http://HOST[:PORT][/PATH]. Pure.
 */
#ifndef MANAGE_FETCH_URL_H
#define MANAGE_FETCH_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_SIZE 128u
#define URL_PATH_SIZE 512u

struct url {
    char host[URL_HOST_SIZE]; /* a name or an address, which for IPv6 has no brackets */
    bool ipv6;                /* there were some */
    uint16_t port;
    char path[URL_PATH_SIZE]; /* with the query; begins with '/' */
};

/** Takes an address apart. 0, or -EINVAL and why in `reason`. */
int url_parse(const char *text, struct url *url, char *reason, size_t size);
/** The last part of the path, without the query, cut to `size`; the host if the path ends with '/'.
 */
void url_file_name(const struct url *url, char *name, size_t size);

#endif
