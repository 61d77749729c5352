#include "manage/web/page.h"

#include <string.h>

#include "manage/web/page_files.h"

/* xterm.js positions its cells by style elements that it writes, hence 'unsafe-inline' for styles;
 * 'self' covers the WebSocket of the same host. */
const struct page_header page_headers[PAGE_HEADERS] = {
    {"Content-Security-Policy",
     "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
     "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"},
    {"Referrer-Policy", "no-referrer"},
    {"Vary", "Accept-Encoding"},
};

const struct page_file *page_find(const char *path, bool gzip)
{
    for (unsigned i = gzip && page_built() ? 1 : 0; i < page_file_count; i++) {
        const struct page_file *file = &page_files[i];
        if (strcmp(file->path, path) == 0 && (gzip || file->encoding == NULL)) {
            return file;
        }
    }
    return NULL;
}

bool page_built(void)
{
    return page_file_count > 1;
}
