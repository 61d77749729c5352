#include "tests/unit/redfish/as_server.h"

#include <string.h>

#include "manage/redfish/redfish.h"

static bool fits(const struct http_route *route, const char *path)
{
    size_t length = strlen(route->path);

    return strcmp(route->path, path) == 0 ||
           (route->below && strncmp(route->path, path, length) == 0 && path[length] == '/');
}

const struct http_route *find_redfish_route(const char *path)
{
    for (unsigned i = 0; i < REDFISH_ROUTES; i++) {
        if (fits(&redfish_routes[i], path)) {
            return &redfish_routes[i];
        }
    }
    return NULL;
}

unsigned server_refusal(const struct http_route *route, const struct http_request *request)
{
    enum http_method method = request->method == HTTP_HEAD ? HTTP_GET : request->method;

    if (request->who.role == ACCESS_NOBODY && route->access != HTTP_PUBLIC) {
        return 401;
    }
    if ((route->methods & HTTP_ALLOW(method)) == 0) {
        return 405;
    }
    if (route->access == HTTP_READ && method != HTTP_GET &&
        request->who.role != ACCESS_ADMINISTRATOR) {
        return 403;
    }
    if (route->upload != NULL && (method == HTTP_PUT || method == HTTP_POST)) {
        return 0; /* as much as there is memory for */
    }
    return request->body_length > route->body_max ? 413 : 0;
}
