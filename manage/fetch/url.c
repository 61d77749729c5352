#include "manage/fetch/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SCHEME    "http://"
#define HTTP_PORT 80u
#define PORT_MAX  65535u

static int refuse(char *reason, size_t size, const char *text, const char *problem)
{
    snprintf(reason, size, "%.100s: %s", text, problem);
    return -EINVAL;
}

/* Characters before the first that is in `set`. */
static size_t length_until(const char *text, const char *set)
{
    size_t length = 0;

    while (text[length] != '\0' && !strchr(set, text[length])) {
        length++;
    }
    return length;
}

/* Nothing that could end a line or a word of the request. */
static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f) {
            return false;
        }
    }
    return true;
}

static bool parse_port(const char *text, size_t length, uint16_t *port)
{
    unsigned number = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(text[i] - '0');
        if (number > PORT_MAX) {
            return false;
        }
    }
    *port = (uint16_t)number;
    return number > 0;
}

/* HOST[:PORT] or [ADDRESS][:PORT]. What is wrong with it, or NULL. */
static const char *parse_authority(const char *text, size_t length, struct url *url)
{
    const char *end = text + length;
    const char *host = text;
    const char *host_end;

    url->ipv6 = length > 0 && *text == '[';
    host += url->ipv6 ? 1 : 0;
    host_end = memchr(host, url->ipv6 ? ']' : ':', (size_t)(end - host));
    if (url->ipv6 && !host_end) {
        return "the bracket is not closed";
    }
    if (!host_end) {
        host_end = end;
    }
    if (host_end == host || (size_t)(host_end - host) >= URL_HOST_SIZE) {
        return "no host";
    }
    if (memchr(host, '@', length)) {
        return "user and password are not supported";
    }
    memcpy(url->host, host, (size_t)(host_end - host));
    url->host[host_end - host] = '\0';
    text = host_end + (url->ipv6 ? 1 : 0);
    if (text != end &&
        (*text != ':' || !parse_port(text + 1, (size_t)(end - text - 1), &url->port))) {
        return "no port";
    }
    return NULL;
}

int url_parse(const char *text, struct url *url, char *reason, size_t size)
{
    const char *authority = text + strlen(SCHEME);
    const char *path;
    const char *problem;
    size_t length;

    memset(url, 0, sizeof(*url));
    url->port = HTTP_PORT;
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0) {
        return refuse(reason, size, text, "only http:// addresses can be fetched");
    }
    if (!is_printable(text)) {
        return refuse(reason, size, SCHEME "...", "spaces and the like must be %-encoded");
    }
    path = authority + length_until(authority, "/?#");
    problem = parse_authority(authority, (size_t)(path - authority), url);
    if (problem) {
        return refuse(reason, size, text, problem);
    }
    length = length_until(path, "#");
    if (length + 2 > URL_PATH_SIZE) {
        return refuse(reason, size, text, "the path is too long");
    }
    snprintf(url->path, sizeof(url->path), "%s%.*s", *path == '/' ? "" : "/", (int)length, path);
    return 0;
}

void url_file_name(const struct url *url, char *name, size_t size)
{
    size_t length = length_until(url->path, "?");
    size_t start = length;

    while (start > 0 && url->path[start - 1] != '/') {
        start--;
    }
    if (start == length) {
        snprintf(name, size, "%s", url->host);
    } else {
        snprintf(name, size, "%.*s", (int)(length - start), url->path + start);
    }
}
