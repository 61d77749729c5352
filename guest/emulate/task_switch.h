/*
 * Hardware task switches, which no CPU makes for a guest by itself: by JMP, CALL, IRET and task
 * gates, between 32-bit TSSs (SDM vol. 3, 7.3). Who still uses them are small 32-bit kernels that
 * give double faults and NMIs a task of their own.
 */
#ifndef GUEST_EMULATE_TASK_SWITCH_H
#define GUEST_EMULATE_TASK_SWITCH_H

#include "guest/emulate/emulate.h"

/**
 * Carries out exit->task_switch. EMULATE_DONE: the vCPU is in the new task, or an exception that
 * belongs to the new task has been queued. EMULATE_FAULT: the vCPU is still in the old task and
 * context->fault is to be delivered there. EMULATE_UNDECODABLE: a 16-bit TSS, which is not offered;
 * context->byte_count is 0.
 */
enum emulate_result emulate_task_switch(struct emulate_context *context,
                                        const struct vm_exit *exit);

#endif
