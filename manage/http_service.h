/*
 * What the machine's network is for: the HTTP server with all of its routes.
 */
#ifndef MANAGE_HTTP_SERVICE_H
#define MANAGE_HTTP_SERVICE_H

#include "manage/net/net.h"

extern const struct net_application http_service;

#endif
