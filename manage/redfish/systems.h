/*
 * What the files about Systems share.
 */
#ifndef MANAGE_REDFISH_SYSTEMS_H
#define MANAGE_REDFISH_SYSTEMS_H

#include "manage/redfish/resource.h"

/* What a client may ask for; NULL ends them. */
extern const char *const system_reset_types[];
extern const char *const system_boot_targets[]; /* None, UefiHttp */
extern const char *const system_boot_modes[];

/** Looks up the VM that the path names first. */
bool system_find(const struct redfish_call *call, struct redfish_target *target);

/** Defines a VM from its description, which is the body. */
void system_create(struct redfish_call *call, struct redfish_target *target);
/** Boot override and share of the CPUs. */
void system_change(struct redfish_call *call, struct redfish_target *target);
void system_delete(struct redfish_call *call, struct redfish_target *target);
/** The action ComputerSystem.Reset. */
void system_reset(struct redfish_call *call, struct redfish_target *target);

#endif
