/*
 * A self-test: VMs are made, started, disturbed and killed, over and over, and all memory must come
 * back.
 */
#ifndef MANAGE_VM_CYCLES_H
#define MANAGE_VM_CYCLES_H

/** With the kernel option `vm-cycles=N` starts a thread that does so N times, with the first VM
 * that is described, and says how it went. */
void vm_cycles_start(void);

#endif
