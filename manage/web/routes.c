#include "manage/web/routes.h"

#include <string.h>

#include "manage/http/fields.h"
#include "manage/web/page.h"

/* Whether the client has the file already (RFC 9110, 13.1.2). */
static bool is_known(const struct http_request *request, const struct page_file *file)
{
    const char *tags = http_field(request, "If-None-Match");

    return tags && (http_list_has(tags, file->etag) || strcmp(tags, "*") == 0);
}

static void serve(const struct http_request *request, struct http_answer *answer)
{
    const char *codings = http_field(request, "Accept-Encoding");
    const struct page_file *file =
        page_find(request->path, codings && http_accepts(codings, "gzip"));

    if (!file) {
        http_status(answer, 404);
        return;
    }
    for (unsigned i = 0; i < PAGE_HEADERS; i++) {
        http_add_field(answer, page_headers[i].name, page_headers[i].value);
    }
    http_add_field(answer, "ETag", file->etag);
    http_add_field(answer, "Cache-Control", file->cache_control);
    if (is_known(request, file)) {
        http_status(answer, 304);
        return;
    }
    http_add_field(answer, "Content-Type", file->content_type);
    if (file->encoding) {
        http_add_field(answer, "Content-Encoding", file->encoding);
    }
    http_body_constant(answer, file->data, file->length);
}

const struct http_route page_routes[PAGE_ROUTES] = {
    {.path = "/", .methods = HTTP_ALLOW(HTTP_GET), .access = HTTP_PUBLIC, .handle = serve},
    {.path = "/static",
     .below = true,
     .methods = HTTP_ALLOW(HTTP_GET),
     .access = HTTP_PUBLIC,
     .handle = serve},
};
