#include "manage/http/target.h"

#include <string.h>

#include "manage/http/fields.h"
#include "manage/http/utf8.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* RFC 3986's pchar, and what separates segments; '%' is looked at when it is decoded. */
static bool is_path_character(char c)
{
    return is_alphanumeric(c) || is_one_of(c, "-._~!$&'()*+,;=:@/%");
}

/* RFC 3986 has fewer, but browsers send the others as they are. */
static bool is_query_character(char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

bool http_is_host(const char *text)
{
    for (; *text; text++) {
        if (!is_alphanumeric(*text) && !is_one_of(*text, "-._~!$&'()*+,;=:[]%")) {
            return false;
        }
    }
    return true;
}

/* Decodes in its place. An encoded '/' would be another path's when it is decoded, and bytes that
 * are no text are nobody's: both are refused. */
static bool decode_path(char *path)
{
    struct utf8 utf8 = {0};
    char *out = path;

    for (const char *in = path; *in; in++) {
        char c = *in;

        if (!is_path_character(c)) {
            return false;
        }
        if (c == '%') {
            int high = http_hex_digit(in[1]);
            int low = high < 0 ? -1 : http_hex_digit(in[2]);

            if (low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            if ((c >= 0 && c < ' ') || c == 0x7f || c == '/') {
                return false;
            }
            in += 2;
        }
        if (!utf8_check(&utf8, &c, 1)) {
            return false;
        }
        *out++ = c;
    }
    *out = '\0';
    return utf8_complete(&utf8);
}

/* Takes out empty, "." and ".." segments, in place; what it writes is never ahead of what it
 * reads. */
static void normalise_path(char *path)
{
    const char *in = path;
    char *out = path;

    while (*in) {
        size_t length = 0;

        while (*in == '/') {
            in++;
        }
        while (in[length] && in[length] != '/') {
            length++;
        }
        if (length == 2 && in[0] == '.' && in[1] == '.') {
            while (out > path && *--out != '/') {
            }
        } else if (length > 0 && !(length == 1 && in[0] == '.')) {
            *out++ = '/';
            memmove(out, in, length);
            out += length;
        }
        in += length;
    }
    if (out == path) {
        *out++ = '/';
    }
    *out = '\0';
}

/* The host of http://HOST/PATH, as is sent to proxies and must be understood by all; moves *text
 * past it. */
static bool take_host(char **text, struct http_target *target)
{
    char *host = *text;
    char *end;

    for (const char *scheme = strncmp(host, "https", 5) == 0 ? "https://" : "http://"; *scheme;
         scheme++) {
        if (*host++ != *scheme) {
            return false;
        }
    }
    for (end = host; *end && *end != '/' && *end != '?'; end++) {
    }
    /* It goes where the scheme was, to have room for its NUL. */
    memmove(*text, host, (size_t)(end - host));
    (*text)[end - host] = '\0';
    target->host = *text;
    *text = end;
    return *target->host && http_is_host(target->host);
}

bool http_target_parse(char *text, struct http_target *target)
{
    char *query;

    target->host = NULL;
    target->query = text + strlen(text);
    if (strcmp(text, "*") == 0) {
        target->path = text;
        return true;
    }
    if (*text != '/' && !take_host(&text, target)) {
        return false;
    }
    query = strchr(text, '?');
    if (query) {
        *query++ = '\0';
        for (const char *c = query; *c; c++) {
            if (!is_query_character(*c)) {
                return false;
            }
        }
        target->query = query;
    }
    /* After a host the path may be missing: its place is the end of the host's, past the NUL. */
    target->path = text;
    if (!*text) {
        target->path = target->host + strlen(target->host) + 1;
        memcpy(target->path, "/", 2);
    }
    if (!decode_path(target->path)) {
        return false;
    }
    normalise_path(target->path);
    return true;
}
