/*
 * The page's routes in the HTTP server.
 */
#ifndef MANAGE_WEB_ROUTES_H
#define MANAGE_WEB_ROUTES_H

#include "manage/http/http.h"

#define PAGE_ROUTES 2u
extern const struct http_route page_routes[PAGE_ROUTES];

#endif
