#include "kernel/cpu/exception.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/panic.h"

/* Machine-check banks (SDM vol. 3, 16.3.2): four MSRs each, from here. */
#define MSR_MC0_STATUS     0x401u
#define MSR_MC0_ADDR       0x402u
#define MSR_PER_BANK       4u
#define MCG_CAP_BANKS      0xffu
#define MC_STATUS_VALID    (UINT64_C(1) << 63)
#define MC_STATUS_HAS_ADDR (UINT64_C(1) << 58)

static const char *const names[] = {
    [EXCEPTION_DE] = "divide error",
    [EXCEPTION_DB] = "debug exception",
    [EXCEPTION_NMI] = "NMI",
    [EXCEPTION_BP] = "breakpoint",
    [EXCEPTION_OF] = "overflow",
    [EXCEPTION_BR] = "bound range exceeded",
    [EXCEPTION_UD] = "invalid opcode",
    [EXCEPTION_NM] = "device not available",
    [EXCEPTION_DF] = "double fault",
    [EXCEPTION_TS] = "invalid TSS",
    [EXCEPTION_NP] = "segment not present",
    [EXCEPTION_SS] = "stack-segment fault",
    [EXCEPTION_GP] = "general protection fault",
    [EXCEPTION_PF] = "page fault",
    [EXCEPTION_MF] = "x87 floating-point error",
    [EXCEPTION_AC] = "alignment check",
    [EXCEPTION_MC] = "machine check",
    [EXCEPTION_XM] = "SIMD floating-point exception",
    [EXCEPTION_VE] = "virtualization exception",
    [EXCEPTION_CP] = "control protection exception",
};

static _Atomic(nmi_claimer) claimer;
static atomic_ulong nmi_count;

void exception_claim_nmi(nmi_claimer new_claimer)
{
    atomic_store(&claimer, new_claimer);
}

uint64_t exception_nmi_count(void)
{
    return atomic_load(&nmi_count);
}

static _Noreturn void page_fault(const struct exception_frame *frame)
{
    uint64_t address = read_cr2();
    uint64_t error = frame->error_code;
    const char *access = (error & PF_FETCH) != 0   ? "execution of"
                         : (error & PF_WRITE) != 0 ? "write to"
                                                   : "read of";
    const char *why = paging_is_guard(address)     ? "the guard page of a stack"
                      : (error & PF_RESERVED) != 0 ? "a broken page-table entry"
                      : (error & PF_PRESENT) != 0  ? "not allowed there"
                      : address < FRAME_SIZE       ? "a null pointer"
                                                   : "not mapped";

    panic_in_frame(frame, "page fault: %s 0x%016lx: %s", access, address, why);
}

static _Noreturn void machine_check(const struct exception_frame *frame)
{
    uint64_t banks = rdmsr(MSR_MCG_CAP) & MCG_CAP_BANKS;

    for (uint32_t bank = 0; bank < banks; bank++) {
        uint64_t status = rdmsr(MSR_MC0_STATUS + bank * MSR_PER_BANK);

        if ((status & MC_STATUS_VALID) != 0) {
            log_error("machine check: bank %u status %016lx address %016lx", bank, status,
                      (status & MC_STATUS_HAS_ADDR) != 0 ? rdmsr(MSR_MC0_ADDR + bank * MSR_PER_BANK)
                                                         : 0);
        }
    }
    panic_in_frame(frame, "machine check: the processor reports a hardware error, status %lx",
                   rdmsr(MSR_MCG_STATUS));
}

void exception_handle(struct exception_frame *frame)
{
    nmi_claimer claims;

    switch (frame->vector) {
    case EXCEPTION_NMI:
        atomic_fetch_add(&nmi_count, 1);
        claims = atomic_load(&claimer);
        if (claims != NULL && claims()) {
            return;
        }
        panic_in_frame(frame, "NMI that nobody asked for: hardware error, watchdog or button");
    case EXCEPTION_MC:
        machine_check(frame);
    case EXCEPTION_PF:
        page_fault(frame);
    case EXCEPTION_DF:
        /* A page fault on the stack itself cannot be delivered; its address is still in CR2. */
        panic_in_frame(frame, "double fault%s",
                       paging_is_guard(read_cr2()) ? ": stack overflow into its guard page" : "");
    default:
        panic_in_frame(frame, "%s",
                       frame->vector < sizeof(names) / sizeof(names[0]) &&
                               names[frame->vector] != NULL
                           ? names[frame->vector]
                           : "reserved exception");
    }
}
