/*
 * The "sched" object of a VM's description: weight, cap, reservation and CPUs.
 */
#ifndef GUEST_DESCRIPTION_SCHED_H
#define GUEST_DESCRIPTION_SCHED_H

#include "guest/description.h"
#include "guest/json_fields.h"

/** What holds where nothing is said. */
void description_default_sched(struct sched_description *sched);

/** A field's reader: the object to the struct sched_description at `out`, which holds the defaults.
 */
int description_read_sched(struct json_reader *reader, const struct json_field *field,
                           json_value value, void *out);

#endif
