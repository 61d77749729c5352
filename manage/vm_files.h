/*
 * The files that describe VMs: boot modules whose names end in .json, or the one that the kernel
 * option `vms=` names.
 */
#ifndef MANAGE_VM_FILES_H
#define MANAGE_VM_FILES_H

#include "guest/description.h"

/** Tells `use` of each VM that is described rightly, file by file. What is wrong is logged, as is
 * that there is no such file. */
void vm_files_read(void (*use)(void *context, const struct vm_description *description),
                   void *context);

#endif
