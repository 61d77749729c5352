/*
 * A machine that is none: VMs, images, tasks and events in arrays, which tests fill and look at.
 */
#ifndef TESTS_UNIT_REDFISH_FAKE_MACHINE_H
#define TESTS_UNIT_REDFISH_FAKE_MACHINE_H

#include "manage/machine.h"

#define FAKE_MAX 64u

struct fake_machine {
    struct machine_vm vms[FAKE_MAX];
    unsigned vm_count;
    struct machine_image images[FAKE_MAX];
    unsigned image_count;
    struct machine_task tasks[FAKE_MAX];
    unsigned task_count;
    struct machine_event events[FAKE_MAX];
    unsigned event_count;
    struct machine_host host;
    struct machine_cpu cpus[4];
    struct log_record log[FAKE_MAX];
    unsigned log_count;

    int refuse; /* what everything that changes something returns, if it is not 0 */
    unsigned changes;
    bool powered_off, was_reset;
    uint16_t telnet_base; /* 0: off */
};

extern struct fake_machine fake;

/** Two VMs, "linux" running and "idle" defined; two images; a log. */
void fake_machine_reset(void);
struct machine_vm *fake_vm(const char *name);
struct machine_vm *fake_add_vm(const char *name);

#endif
