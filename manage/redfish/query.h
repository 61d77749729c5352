/*
 * The query of a Redfish request: $expand, $select, $skip, $top.
 */
#ifndef MANAGE_REDFISH_QUERY_H
#define MANAGE_REDFISH_QUERY_H

#include "manage/redfish/resource.h"

/** Reads it into `call`; what is wrong is refused. */
void redfish_read_query(struct redfish_call *call);

#endif
