#include "guest/policy/msr.h"

#include "guest/policy/cpuid_bits.h"
#include "kernel/cpu/x86_defs.h"

#define LOW_HALF UINT64_C(0xffffffff)

#define MISC_ENABLE_FAST_STRINGS     (UINT64_C(1) << 0)
#define MISC_ENABLE_BTS_UNAVAILABLE  (UINT64_C(1) << 11)
#define MISC_ENABLE_PEBS_UNAVAILABLE (UINT64_C(1) << 12)
#define MISC_ENABLE_READ_ONLY        (MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE)
#define MISC_ENABLE_WRITABLE         MISC_ENABLE_FAST_STRINGS

#define MCG_STATUS_MASK UINT64_C(0x7) /* RIPV, EIPV, MCIP */
#define DEBUGCTL_BTF    (UINT64_C(1) << 1)

#define PAT_ENTRIES        8u
#define PAT_UNCACHED_MINUS 7u

void guest_msrs_init(struct guest_msrs *msrs, const struct msr_environment *environment,
                     const struct cpuid_policy *cpuid, const struct control_policy *control,
                     struct pvclock *pvclock, uint32_t microcode)
{
    *msrs = (struct guest_msrs){
        .environment = environment,
        .cpuid = cpuid,
        .control = control,
        .pvclock = pvclock,
        .misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_READ_ONLY,
        .bios_sign_id = (uint64_t)microcode << 32,
    };
    mtrrs_init(&msrs->mtrrs, cpuid->physical_bits);
}

static uint64_t get_register(const struct guest_msrs *msrs, enum virt_register which)
{
    return msrs->environment->get_register(msrs->environment->context, which);
}

static void set_register(const struct guest_msrs *msrs, enum virt_register which, uint64_t value)
{
    msrs->environment->set_register(msrs->environment->context, which, value);
}

/* MSRs that are registers of the vCPU and nothing more; REGISTER_COUNT for others. */
static enum virt_register plain_register(uint32_t index)
{
    switch (index) {
    case MSR_SYSENTER_CS:
        return REGISTER_SYSENTER_CS;
    case MSR_SYSENTER_ESP:
        return REGISTER_SYSENTER_ESP;
    case MSR_SYSENTER_EIP:
        return REGISTER_SYSENTER_EIP;
    case MSR_DEBUGCTL:
        return REGISTER_DEBUGCTL;
    case MSR_PAT:
        return REGISTER_PAT;
    case MSR_STAR:
        return REGISTER_STAR;
    case MSR_LSTAR:
        return REGISTER_LSTAR;
    case MSR_CSTAR:
        return REGISTER_CSTAR;
    case MSR_SFMASK:
        return REGISTER_SFMASK;
    case MSR_KERNEL_GS_BASE:
        return REGISTER_KERNEL_GS_BASE;
    case MSR_TSC_AUX:
        return REGISTER_TSC_AUX;
    case MSR_EFER:
        return REGISTER_EFER;
    default:
        return REGISTER_COUNT;
    }
}

/* MSRs that come with a CPU feature are absent with it. */
static bool absent(const struct guest_msrs *msrs, uint32_t index)
{
    uint32_t extended = msrs->cpuid->extended[1].answer.edx;

    switch (index) {
    case MSR_TSC_AUX:
        return !(extended & CPUIDX_EDX_RDTSCP) &&
               !(msrs->cpuid->basic[7].answer.ecx & CPUID7_ECX_RDPID);
    case MSR_EFER:
        return !(extended & (CPUIDX_EDX_LM | CPUIDX_EDX_NX));
    default:
        return false;
    }
}

static bool canonical(const struct guest_msrs *msrs, uint64_t address)
{
    unsigned shift = 64 - msrs->cpuid->linear_bits;

    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

static bool pat_valid(uint64_t value)
{
    for (unsigned i = 0; i < PAT_ENTRIES; i++) {
        uint8_t type = (uint8_t)(value >> (8 * i));

        if (!mtrr_type_valid(type) && type != PAT_UNCACHED_MINUS) {
            return false;
        }
    }
    return true;
}

static uint64_t guest_tsc(const struct guest_msrs *msrs)
{
    return msrs->environment->host_tsc(msrs->environment->context) +
           get_register(msrs, REGISTER_TSC_OFFSET);
}

/* IA32_TSC_ADJUST is the sum of all that software has added to the TSC, by either MSR (SDM vol. 3,
 * 18.17.3). */
static void add_to_tsc(struct guest_msrs *msrs, uint64_t difference)
{
    /* Other vCPUs look whether theirs is the same. */
    __atomic_store_n(&msrs->tsc_adjust, msrs->tsc_adjust + difference, __ATOMIC_RELAXED);
    set_register(msrs, REGISTER_TSC_OFFSET, get_register(msrs, REGISTER_TSC_OFFSET) + difference);
}

/* MTRRs, the paravirtual clock, what the CPU is, and what is a register of the vCPU. */
static enum msr_result read_other(const struct guest_msrs *msrs, uint32_t index, uint64_t *value)
{
    enum virt_register which = plain_register(index);

    if (mtrr_is(index)) {
        *value = mtrr_read(&msrs->mtrrs, index);
        return MSR_OK;
    }
    if (pvclock_has_msr(index)) {
        *value = pvclock_msr_read(msrs->pvclock, index);
        return MSR_OK;
    }
    if (index == MSR_ARCH_CAPABILITIES &&
        (msrs->cpuid->basic[7].answer.edx & CPUID7_EDX_ARCH_CAPABILITIES)) {
        *value = msrs->cpuid->arch_capabilities;
        return MSR_OK;
    }
    if (which == REGISTER_COUNT || absent(msrs, index)) {
        return MSR_FAULT;
    }
    *value = get_register(msrs, which);
    return MSR_OK;
}

enum msr_result guest_msr_read(struct guest_msrs *msrs, uint32_t index, uint64_t *value)
{
    const struct msr_environment *environment = msrs->environment;

    switch (index) {
    case MSR_P5_MC_ADDR: /* names for the first error bank, of which there is none */
    case MSR_P5_MC_TYPE:
    case MSR_PLATFORM_ID:
    case MSR_MCG_CAP: /* no banks, nothing optional */
        *value = 0;
        break;
    case MSR_TSC:
        *value = guest_tsc(msrs);
        break;
    case MSR_TSC_ADJUST:
        *value = msrs->tsc_adjust;
        break;
    case MSR_FEATURE_CONTROL:
        *value = FEATURE_CONTROL_LOCKED; /* by firmware, with VMX off */
        break;
    case MSR_BIOS_SIGN_ID:
        *value = msrs->bios_sign_id;
        break;
    case MSR_MCG_STATUS:
        *value = msrs->mcg_status;
        break;
    case MSR_MISC_ENABLE:
        *value = msrs->misc_enable;
        break;
    case MSR_FS_BASE:
        *value = environment->get_segment_base(environment->context, SEGMENT_FS);
        break;
    case MSR_GS_BASE:
        *value = environment->get_segment_base(environment->context, SEGMENT_GS);
        break;
    default:
        return read_other(msrs, index, value);
    }
    return MSR_OK;
}

static enum msr_result write_plain(struct guest_msrs *msrs, uint32_t index,
                                   enum virt_register which, uint64_t value)
{
    switch (index) {
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP:
    case MSR_LSTAR:
    case MSR_CSTAR:
    case MSR_KERNEL_GS_BASE:
        if (!canonical(msrs, value)) {
            return MSR_FAULT;
        }
        break;
    case MSR_SYSENTER_CS:
        value &= LOW_HALF; /* the upper half is ignored */
        break;
    case MSR_SFMASK:
    case MSR_TSC_AUX:
        if (value & ~LOW_HALF) {
            return MSR_FAULT;
        }
        break;
    case MSR_PAT:
        if (!pat_valid(value)) {
            return MSR_FAULT;
        }
        break;
    case MSR_DEBUGCTL:
        if (value & ~DEBUGCTL_BTF) { /* no branch records, no branch trace store */
            return MSR_FAULT;
        }
        break;
    default:
        break;
    }
    set_register(msrs, which, value);
    return MSR_OK;
}

static enum msr_result write_efer(struct guest_msrs *msrs, uint64_t value)
{
    uint64_t before = get_register(msrs, REGISTER_EFER);
    struct control_state state = {.cr0 = get_register(msrs, REGISTER_CR0), .efer = before};

    if (efer_write_check(msrs->control, &state, value) != CONTROL_OK) {
        return MSR_FAULT;
    }
    set_register(msrs, REGISTER_EFER, (value & ~EFER_LMA) | (before & EFER_LMA));
    return MSR_OK;
}

/* MTRRs, the paravirtual clock, and what is a register of the vCPU. */
static enum msr_result write_other(struct guest_msrs *msrs, uint32_t index, uint64_t value)
{
    enum virt_register which = plain_register(index);

    if (mtrr_is(index)) {
        return mtrr_write(&msrs->mtrrs, index, value) ? MSR_OK : MSR_FAULT;
    }
    if (pvclock_has_msr(index)) {
        return pvclock_msr_write(msrs->pvclock, index, value) ? MSR_OK : MSR_FAULT;
    }
    if (which == REGISTER_COUNT || absent(msrs, index)) {
        return MSR_FAULT;
    }
    return index == MSR_EFER ? write_efer(msrs, value) : write_plain(msrs, index, which, value);
}

static enum msr_result write_segment_base(struct guest_msrs *msrs, enum virt_segment segment,
                                          uint64_t value)
{
    if (!canonical(msrs, value)) {
        return MSR_FAULT;
    }
    msrs->environment->set_segment_base(msrs->environment->context, segment, value);
    return MSR_OK;
}

/* Stores what `mask` allows, or faults. */
static enum msr_result write_masked(uint64_t *stored, uint64_t value, uint64_t mask)
{
    if (value & ~mask) {
        return MSR_FAULT;
    }
    *stored = value;
    return MSR_OK;
}

enum msr_result guest_msr_write(struct guest_msrs *msrs, uint32_t index, uint64_t value)
{
    switch (index) {
    case MSR_TSC:
        add_to_tsc(msrs, value - guest_tsc(msrs));
        return MSR_OK;
    case MSR_TSC_ADJUST:
        add_to_tsc(msrs, value - msrs->tsc_adjust);
        return MSR_OK;
    case MSR_BIOS_SIGN_ID:   /* written as 0 before CPUID puts the revision there; it stays */
    case MSR_BIOS_UPDT_TRIG: /* an update that is not taken, as one that is not newer */
        return MSR_OK;
    case MSR_MCG_STATUS:
        return write_masked(&msrs->mcg_status, value, MCG_STATUS_MASK);
    case MSR_MISC_ENABLE:
        if (write_masked(&msrs->misc_enable, value & ~MISC_ENABLE_READ_ONLY,
                         MISC_ENABLE_WRITABLE) != MSR_OK) {
            return MSR_FAULT;
        }
        msrs->misc_enable |= MISC_ENABLE_READ_ONLY;
        return MSR_OK;
    case MSR_FS_BASE:
        return write_segment_base(msrs, SEGMENT_FS, value);
    case MSR_GS_BASE:
        return write_segment_base(msrs, SEGMENT_GS, value);
    default:
        return write_other(msrs, index, value);
    }
}

const struct msr_passthrough msr_passthrough[] = {
    {MSR_SYSENTER_CS, true, true},
    {MSR_SYSENTER_ESP, true, true},
    {MSR_SYSENTER_EIP, true, true},
    {MSR_STAR, true, true},
    {MSR_LSTAR, true, true},
    {MSR_CSTAR, true, true},
    {MSR_SFMASK, true, true},
    {MSR_FS_BASE, true, true},
    {MSR_GS_BASE, true, true},
    {MSR_KERNEL_GS_BASE, true, true},
    {MSR_TSC, true, false}, /* the CPU adds the offset; a write changes it */
    {0, false, false},
};
