#include "vmx/controls.h"

#include <errno.h>
#include <stddef.h>

#include "vmx/definitions.h"

enum control_word { WORD_PIN, WORD_PROC, WORD_PROC2, WORD_EXIT, WORD_ENTRY, WORD_COUNT };

enum control_wish {
    NEEDED,   /* refuse to run without it */
    WANTED,   /* used where it is there */
    UNWANTED, /* refuse to run if it cannot be off */
};

struct control_request {
    enum control_word word;
    enum control_wish wish;
    uint32_t bits;
    const char *name;
};

static const struct control_request requests[] = {
    {WORD_PIN, NEEDED, PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting"},
    {WORD_PIN, NEEDED, PIN_NMI_EXITING, "NMI exiting"},
    {WORD_PIN, NEEDED, PIN_VIRTUAL_NMIS, "virtual NMIs"},
    {WORD_PIN, WANTED, PIN_PREEMPTION_TIMER, "the VMX-preemption timer"},

    {WORD_PROC, NEEDED, PROC_SECONDARY_CONTROLS, "secondary VM-execution controls"},
    {WORD_PROC, NEEDED, PROC_TSC_OFFSETTING, "TSC offsetting"},
    {WORD_PROC, NEEDED, PROC_HLT_EXITING, "HLT exiting"},
    {WORD_PROC, NEEDED, PROC_MWAIT_EXITING, "MWAIT exiting"},
    {WORD_PROC, NEEDED, PROC_MONITOR_EXITING, "MONITOR exiting"},
    {WORD_PROC, NEEDED, PROC_RDPMC_EXITING, "RDPMC exiting"},
    {WORD_PROC, NEEDED, PROC_MOV_DR_EXITING, "MOV-DR exiting"},
    {WORD_PROC, NEEDED, PROC_IO_BITMAPS, "I/O bitmaps"},
    {WORD_PROC, NEEDED, PROC_MSR_BITMAPS, "MSR bitmaps"},
    {WORD_PROC, WANTED, PROC_TPR_SHADOW, "the TPR shadow"},
    /* EPT makes CR3 the guest's own; only the true control MSRs say that these may be off. */
    {WORD_PROC, UNWANTED, PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING,
     "guest access to CR3 without VM exits"},

    /* Unrestricted guest depends on EPT; ask for EPT first, so that it is what a refusal names. */
    {WORD_PROC2, NEEDED, PROC2_EPT, "nested paging (EPT)"},
    {WORD_PROC2, NEEDED, PROC2_UNRESTRICTED_GUEST, "unrestricted guest mode"},
    {WORD_PROC2, WANTED, PROC2_VPID, "VPIDs"},
    {WORD_PROC2, WANTED, PROC2_RDTSCP, "RDTSCP"},
    {WORD_PROC2, WANTED, PROC2_INVPCID, "INVPCID"},
    {WORD_PROC2, WANTED, PROC2_WBINVD_EXITING, "WBINVD exiting"},

    {WORD_EXIT, NEEDED, EXIT_HOST_64BIT, "a 64-bit host"},
    {WORD_EXIT, NEEDED, EXIT_ACKNOWLEDGE_INTERRUPT, "acknowledging interrupts on VM exit"},
    {WORD_EXIT, NEEDED, EXIT_SAVE_DEBUG_CONTROLS, "saving debug controls on VM exit"},
    {WORD_EXIT, NEEDED, EXIT_SAVE_PAT | EXIT_LOAD_PAT, "switching IA32_PAT on VM exit"},
    {WORD_EXIT, NEEDED, EXIT_SAVE_EFER | EXIT_LOAD_EFER, "switching IA32_EFER on VM exit"},
    {WORD_EXIT, WANTED, EXIT_LOAD_PERF_GLOBAL_CTRL, "loading IA32_PERF_GLOBAL_CTRL on VM exit"},

    {WORD_ENTRY, NEEDED, ENTRY_LOAD_DEBUG_CONTROLS, "loading debug controls on VM entry"},
    {WORD_ENTRY, NEEDED, ENTRY_LOAD_PAT, "loading IA32_PAT on VM entry"},
    {WORD_ENTRY, NEEDED, ENTRY_LOAD_EFER, "loading IA32_EFER on VM entry"},
    {WORD_ENTRY, WANTED, ENTRY_LOAD_PERF_GLOBAL_CTRL, "loading IA32_PERF_GLOBAL_CTRL on VM entry"},
};

/* Controls that are off in the words we hand out, but that vCPUs turn on now and then. */
static const struct control_request on_demand[] = {
    {WORD_PROC, NEEDED, PROC_INTERRUPT_WINDOW_EXITING, "interrupt-window exiting"},
    {WORD_PROC, NEEDED, PROC_NMI_WINDOW_EXITING, "NMI-window exiting"},
};

/* A capability MSR: bits that must be 1 in the low half, that may be 1 in the high half. */
static uint32_t must_be_one(uint64_t capability)
{
    return (uint32_t)capability;
}

static uint32_t may_be_one(uint64_t capability)
{
    return (uint32_t)(capability >> 32);
}

static bool grant(const struct control_request *request, uint64_t capability, uint32_t *word)
{
    bool can_set = (may_be_one(capability) & request->bits) == request->bits;

    switch (request->wish) {
    case UNWANTED:
        return !(must_be_one(capability) & request->bits);
    case WANTED:
        *word |= can_set ? request->bits : 0;
        return true;
    case NEEDED:
        *word |= request->bits;
        return can_set;
    }
    return false;
}

/* What we need of EPT beside the control bit; NULL if all is there. */
static const char *missing_ept_feature(uint64_t ept_vpid)
{
    if (!(ept_vpid & EPT_CAP_WALK_4)) {
        return "EPT with 4 levels";
    }
    if (!(ept_vpid & EPT_CAP_WRITE_BACK)) {
        return "EPT page tables in write-back memory";
    }
    if (!(ept_vpid & EPT_CAP_INVEPT) ||
        !(ept_vpid & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL))) {
        return "INVEPT";
    }
    return NULL;
}

static bool invvpid_usable(uint64_t ept_vpid)
{
    return (ept_vpid & EPT_CAP_INVVPID) &&
           (ept_vpid & (EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL));
}

/* Register virtualisation without interrupt delivery would show stale PPR and ISR values, so the
 * two are used together or not at all. All of it stands on the TPR shadow. */
static uint32_t apic_controls(enum apic_virtualization wanted, uint32_t possible, bool tpr_shadow)
{
    const uint32_t accelerated =
        PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUAL_INTERRUPT_DELIVERY;
    uint32_t controls = possible & PROC2_VIRTUALIZE_APIC_ACCESSES;

    if (wanted == APIC_VIRTUALIZATION_OFF || !tpr_shadow) {
        return 0;
    }
    controls |= possible & PROC2_VIRTUALIZE_X2APIC;
    if (wanted == APIC_VIRTUALIZATION_FULL && (possible & accelerated) == accelerated) {
        controls |= accelerated;
    }
    return controls;
}

static void fill_features(struct vmx_controls *controls,
                          const struct vmx_entry_capabilities *limits)
{
    controls->features = (struct virt_features){
        .tpr_shadow = controls->proc & PROC_TPR_SHADOW,
        .apic_access_page = controls->apic_proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES,
        .apic_register_virtualization = controls->apic_proc2 & PROC2_APIC_REGISTER_VIRTUALIZATION,
        .virtual_interrupt_delivery = controls->apic_proc2 & PROC2_VIRTUAL_INTERRUPT_DELIVERY,
        .virtual_x2apic = controls->apic_proc2 & PROC2_VIRTUALIZE_X2APIC,
        .preemption_timer = controls->pin & PIN_PREEMPTION_TIMER,
        .virtual_nmis = controls->pin & PIN_VIRTUAL_NMIS,
        .vpid = controls->proc2 & PROC2_VPID,
        .nested_accessed_dirty = limits->ept_vpid & EPT_CAP_ACCESSED_DIRTY,
        .nested_2m = limits->ept_vpid & EPT_CAP_2M,
        .nested_1g = limits->ept_vpid & EPT_CAP_1G,
        .rdtscp = controls->proc2 & PROC2_RDTSCP,
        .invpcid = controls->proc2 & PROC2_INVPCID,
        .pause_loop_exiting = may_be_one(limits->proc2) & PROC2_PAUSE_LOOP_EXITING,
    };
}

int vmx_negotiate_controls(const struct vmx_capabilities *capabilities,
                           enum apic_virtualization apic, struct vmx_controls *controls,
                           const char **missing)
{
    const struct vmx_entry_capabilities *limits = &capabilities->limits;
    const uint64_t offered[WORD_COUNT] = {limits->pin, limits->proc, limits->proc2, limits->exit,
                                          limits->entry};
    uint32_t words[WORD_COUNT];
    uint32_t unused = 0;

    for (unsigned i = 0; i < WORD_COUNT; i++) {
        words[i] = must_be_one(offered[i]);
    }
    for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct control_request *request = &requests[i];

        if (!grant(request, offered[request->word], &words[request->word])) {
            *missing = request->name;
            return -ENODEV;
        }
    }
    for (unsigned i = 0; i < sizeof(on_demand) / sizeof(on_demand[0]); i++) {
        if (!grant(&on_demand[i], offered[on_demand[i].word], &unused)) {
            *missing = on_demand[i].name;
            return -ENODEV;
        }
    }
    *missing = missing_ept_feature(limits->ept_vpid);
    if (*missing) {
        return -ENODEV;
    }
    if (!invvpid_usable(limits->ept_vpid)) {
        words[WORD_PROC2] &= ~PROC2_VPID;
    }
    /* Loading IA32_PERF_GLOBAL_CTRL is of use only both ways: else the guest's value would stay. */
    if (!(words[WORD_EXIT] & EXIT_LOAD_PERF_GLOBAL_CTRL) ||
        !(words[WORD_ENTRY] & ENTRY_LOAD_PERF_GLOBAL_CTRL)) {
        words[WORD_EXIT] &= ~EXIT_LOAD_PERF_GLOBAL_CTRL;
        words[WORD_ENTRY] &= ~ENTRY_LOAD_PERF_GLOBAL_CTRL;
    }
    /* Without a TPR shadow, the guest's CR8 is emulated. */
    if (!(words[WORD_PROC] & PROC_TPR_SHADOW)) {
        words[WORD_PROC] |= PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING;
    }
    controls->pin = words[WORD_PIN];
    controls->proc = words[WORD_PROC];
    controls->proc2 = words[WORD_PROC2];
    controls->exit = words[WORD_EXIT];
    controls->entry = words[WORD_ENTRY];
    controls->apic_proc2 =
        apic_controls(apic, may_be_one(limits->proc2), words[WORD_PROC] & PROC_TPR_SHADOW);
    fill_features(controls, limits);
    return 0;
}
