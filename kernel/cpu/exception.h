/*
 * Exceptions of the host: none is expected, so each ends in a dump. NMIs can be claimed.
 */
#ifndef KERNEL_CPU_EXCEPTION_H
#define KERNEL_CPU_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

/* What entry.S leaves on the stack, lowest address first. */
struct exception_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error_code; /* 0 where the CPU gives none */
    uint64_t rip, cs, rflags, rsp, ss;
};

/** Says whether an NMI was its own. Runs on the NMI stack, may have interrupted anything: takes no
 * lock. */
typedef bool (*nmi_claimer)(void);

/** Who is asked first about each NMI; NULL: nobody, every NMI ends in a dump. */
void exception_claim_nmi(nmi_claimer claimer);

/** How many NMIs came, claimed or not. */
uint64_t exception_nmi_count(void);

/** Called by entry.S. Interrupts off. */
void exception_handle(struct exception_frame *frame);

#endif
