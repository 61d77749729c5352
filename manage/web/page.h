/*
 * The web page: files for a browser, in the kernel's image. It talks to the machine through Redfish
 * and the consoles' WebSockets only; what it is made of and how is in docs/web.md.
 */
#ifndef MANAGE_WEB_PAGE_H
#define MANAGE_WEB_PAGE_H

#include <stdbool.h>
#include <stddef.h>

/* A file, and the headers that its answer is to have, beside those for all in page_headers. */
struct page_file {
    const char *path;          /* of the URL: "/", or "/static/…" */
    const char *content_type;  /* Content-Type */
    const char *encoding;      /* Content-Encoding: "gzip"; NULL: none */
    const char *etag;          /* ETag, quoted; the same in If-None-Match is answered with 304 */
    const char *cache_control; /* Cache-Control */
    const unsigned char *data;
    size_t length; /* in bytes, Content-Length */
};

/** The file at `path`, without its query; NULL: there is none. `gzip` tells whether the client
 * takes gzip (Accept-Encoding): for one that does not, "/" is a plain text about the API, and
 * nothing else is there. */
const struct page_file *page_find(const char *path, bool gzip);

/** Whether there is more than the plain page: it is missing from a build without Node. */
bool page_built(void);

struct page_header {
    const char *name;
    const char *value;
};

/* For every file: the Content-Security-Policy and its relatives. */
#define PAGE_HEADERS 3u
extern const struct page_header page_headers[PAGE_HEADERS];

#endif
