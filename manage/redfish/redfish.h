/*
 * Redfish (DMTF DSP0266): this machine and its VMs, each as a computer with a BMC, over HTTP. Pure:
 * it knows the machine by manage/machine.h, and who asks by manage/access/access.h.
 */
#ifndef MANAGE_REDFISH_REDFISH_H
#define MANAGE_REDFISH_REDFISH_H

#include "manage/http/http.h"

/** All of it: /redfish and below. */
#define REDFISH_ROUTES 11u
extern const struct http_route redfish_routes[REDFISH_ROUTES];

#endif
