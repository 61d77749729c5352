/*
 * A self-test of the table of functions that the network face works with: images are uploaded,
 * VMs defined from text, started, disturbed and deleted, over and over, and all memory must come
 * back.
 */
#ifndef MANAGE_MACHINE_CYCLES_H
#define MANAGE_MACHINE_CYCLES_H

/** With the kernel option `machine-cycles=N` starts a thread that does so N times, with the first
 * VM that is described, which boots by multiboot, and says how it went. In the network's place:
 * with `net=off`. */
void machine_cycles_start(void);

#endif
