/*
 * Numbers of the test device's hypercalls, shared with the test guests: RAX = HYPERCALL_TEST +
 * function. No code.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#define HYPERCALL_TEST           0x494e4e00u
#define HYPERCALL_TEST_SIGNATURE 0x494e4e4bu

enum test_hypercall {
    HYPERCALL_PRESENT,      /* gives HYPERCALL_TEST_SIGNATURE */
    HYPERCALL_INJECT_EVENT, /* enum virt_event_type, vector, error code | present << 32 | length <<
                               40 */
    HYPERCALL_INTERCEPT_EXCEPTIONS, /* vectors, #PF error code mask, #PF match */
    HYPERCALL_EXCEPTION_COUNT,      /* vector: how often it was intercepted */
    HYPERCALL_EXIT_COUNT,           /* enum vm_exit_kind */
    HYPERCALL_BREAK_STATE,          /* which: the VM stops at its next entry */
    HYPERCALL_INJECT_NMI,
    HYPERCALL_FEATURES,          /* struct virt_features, a bit per member in order */
    HYPERCALL_SET_ACTIVITY,      /* enum virt_activity */
    HYPERCALL_ALLOW_PORTS,       /* first, count, allow */
    HYPERCALL_INTERCEPT_CR_BITS, /* of CR0, of CR4 */
    HYPERCALL_UNMAP,             /* guest-physical address, size: mapped again at the next touch */
    HYPERCALL_WOKEN_AT,  /* the guest's TSC when this vCPU was woken, if it has just been halted */
    HYPERCALL_PAGE_SIZE, /* guest-physical address: size of the nested page, 0 if not mapped */
};

#endif
