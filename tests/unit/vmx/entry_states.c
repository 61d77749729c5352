#include "tests/unit/vmx/entry_states.h"

#include <string.h>

static struct vmx_entry_capabilities capabilities(void)
{
    return (struct vmx_entry_capabilities){
        .pin = UINT64_C(0x000000ff00000016),
        .proc = UINT64_C(0xfff9fffe04006172),
        .proc2 = UINT64_C(0x00ffffff00000000),
        .exit = UINT64_C(0x01ffffff00036dfb),
        .entry = UINT64_C(0x0003ffff000011fb),
        .cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
        .cr0_fixed1 = 0xffffffff,
        .cr4_fixed0 = CR4_VMXE,
        .cr4_fixed1 = 0x37ffff,
        .misc = UINT64_C(4) << 16 | VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
                VMX_MISC_ACTIVITY_WAIT_FOR_SIPI,
        .ept_vpid = EPT_CAP_WALK_4 | EPT_CAP_UNCACHED | EPT_CAP_WRITE_BACK | EPT_CAP_ACCESSED_DIRTY,
        .physical_bits = 40,
        .linear_bits = 48,
        .efer_reserved = ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE),
        .perf_global_ctrl_reserved = ~UINT64_C(0x70000000f),
    };
}

/* Everything this kernel uses, and the rest of what has rules. */
static struct vmx_entry_controls controls(void)
{
    return (struct vmx_entry_controls){
        .pin = 0x16 | PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS |
               PIN_PREEMPTION_TIMER,
        .proc = 0x04006172 | PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS |
                PROC_SECONDARY_CONTROLS,
        .proc2 = PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED_GUEST,
        .exit = 0x36dfb | EXIT_HOST_64BIT | EXIT_LOAD_PAT | EXIT_LOAD_EFER |
                EXIT_LOAD_PERF_GLOBAL_CTRL | EXIT_SAVE_PREEMPTION_TIMER,
        .entry = 0x11fb | ENTRY_IA32E_GUEST | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT |
                 ENTRY_LOAD_EFER | ENTRY_LOAD_PERF_GLOBAL_CTRL,
        .cr3_target_count = 4,
        .io_bitmap_a = 0x1000,
        .io_bitmap_b = 0x2000,
        .msr_bitmap = 0x3000,
        .apic_access_page = 0x4000,
        .virtual_apic_page = 0x5000,
        .virtual_tpr = 0x50,
        .tpr_threshold = 5,
        .eptp = 0x6000 | 3u << 3 | 6 | EPTP_ACCESSED_DIRTY,
        .vpid = 1,
        .pml_address = 0x7000,
        .exit_msr_store_count = 2,
        .exit_msr_store = 0x8010,
        .exit_msr_load_count = 2,
        .exit_msr_load = 0x8020,
        .entry_msr_load_count = 2,
        .entry_msr_load = 0xffffffffe0, /* ends with the physical address space */
    };
}

static struct vmx_entry_host host(void)
{
    return (struct vmx_entry_host){
        .cr0 = 0x80050033,
        .cr3 = 0x9000,
        .cr4 = CR4_PAE | CR4_VMXE,
        .rip = 0xffffffff80001000,
        .efer = EFER_LMA | EFER_LME | EFER_NXE,
        .pat = 0x0007040600070406,
        .perf_global_ctrl = 0xf,
        .fs_base = 0xffff800000000000,
        .gs_base = 0xffff800000001000,
        .tr_base = 0xffff800000002000,
        .gdtr_base = 0xffff800000003000,
        .idtr_base = 0xffff800000004000,
        .cs = 0x08,
        .ss = 0x10,
        .ds = 0x10,
        .tr = 0x18,
    };
}

struct vmx_entry_state long_mode(void)
{
    struct vmx_entry_state state = {
        .capabilities = capabilities(), .controls = controls(), .host = host()};
    struct vmx_entry_guest *guest = &state.guest;

    guest->cr0 = 0x80050033;
    guest->cr3 = 0x1000;
    guest->cr4 = CR4_PAE | CR4_VMXE;
    guest->dr7 = 0x400;
    guest->rip = 0xffffffff81000000;
    guest->rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    guest->efer = EFER_LMA | EFER_LME;
    guest->pat = 0x0007040600070406;
    guest->perf_global_ctrl = 0xf;
    guest->link_pointer = UINT64_MAX;
    guest->gdtr_limit = 0xffff;
    guest->idtr_limit = 0xfff;
    for (int i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        guest->segments[i] = (struct virt_segment_state){
            .selector = 0x18, .attributes = DATA32, .limit = 0xffffffff};
    }
    guest->segments[SEGMENT_CS].selector = 0x10;
    guest->segments[SEGMENT_CS].attributes = CODE64;
    guest->segments[SEGMENT_GS].base = 0xffff888000000000;
    guest->segments[SEGMENT_LDTR] = (struct virt_segment_state){.attributes = SEGMENT_UNUSABLE};
    guest->segments[SEGMENT_TR] = (struct virt_segment_state){
        .selector = 0x40, .attributes = TSS, .limit = 0x67, .base = 0xfffffe0000003000};
    return state;
}

struct vmx_entry_state long_mode_user(void)
{
    struct vmx_entry_state state = long_mode();
    struct virt_segment_state *segments = state.guest.segments;

    state.guest.rip = 0x00007ffff7dd0000;
    segments[SEGMENT_CS].selector = 0x33;
    segments[SEGMENT_CS].attributes = CODE64 | 0x60;
    segments[SEGMENT_SS].selector = 0x2b;
    segments[SEGMENT_SS].attributes = DATA32 | 0x60;
    segments[SEGMENT_DS] = (struct virt_segment_state){.attributes = SEGMENT_UNUSABLE};
    segments[SEGMENT_ES] = (struct virt_segment_state){.attributes = SEGMENT_UNUSABLE};
    segments[SEGMENT_FS] =
        (struct virt_segment_state){.attributes = SEGMENT_UNUSABLE, .base = 0x7ffff7d8a740};
    segments[SEGMENT_GS] = (struct virt_segment_state){.attributes = SEGMENT_UNUSABLE};
    return state;
}

struct vmx_entry_state protected_mode(void)
{
    struct vmx_entry_state state = long_mode();
    struct vmx_entry_guest *guest = &state.guest;

    state.controls.proc2 &= ~PROC2_UNRESTRICTED_GUEST;
    state.controls.entry &= ~ENTRY_IA32E_GUEST;
    guest->efer = 0;
    guest->rip = 0xc0100000;
    guest->segments[SEGMENT_CS].attributes = CODE32;
    guest->segments[SEGMENT_GS].base = 0xc1000000;
    guest->segments[SEGMENT_SS].selector = 0x18;
    guest->segments[SEGMENT_TR].base = 0xc1001000;
    guest->segments[SEGMENT_LDTR] = (struct virt_segment_state){
        .selector = 0x50, .attributes = LDT, .limit = 0xff, .base = 0xc1002000};
    guest->pdpte[0] = 0x20001;
    guest->pdpte[3] = 0x1e6; /* not present: nobody cares */
    return state;
}

struct vmx_entry_state real_mode(void)
{
    struct vmx_entry_state state = long_mode();
    struct vmx_entry_guest *guest = &state.guest;

    state.controls.entry &= ~ENTRY_IA32E_GUEST;
    guest->cr0 = CR0_CD | CR0_NW | CR0_ET | CR0_NE;
    guest->cr4 = CR4_VMXE;
    guest->efer = 0;
    guest->rip = 0xfff0;
    guest->rflags = RFLAGS_FIXED1;
    for (int i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        guest->segments[i] = (struct virt_segment_state){.attributes = DATA16, .limit = 0xffff};
    }
    guest->segments[SEGMENT_CS] = (struct virt_segment_state){
        .selector = 0xf000, .attributes = CODE16, .limit = 0xffff, .base = 0xffff0000};
    guest->segments[SEGMENT_LDTR] = (struct virt_segment_state){.attributes = LDT, .limit = 0xffff};
    guest->segments[SEGMENT_TR] = (struct virt_segment_state){.attributes = TSS, .limit = 0xffff};
    return state;
}

struct vmx_entry_state v8086(void)
{
    struct vmx_entry_state state = protected_mode();

    state.guest.rflags |= RFLAGS_VM;
    state.guest.rip = 0x7c00;
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        uint16_t selector = (uint16_t)(0x1000 + i);

        state.guest.segments[i] = (struct virt_segment_state){.selector = selector,
                                                              .attributes = 0xf3,
                                                              .limit = 0xffff,
                                                              .base = (uint64_t)selector << 4};
    }
    return state;
}

void assert_passes(const struct vmx_entry_state *state)
{
    char text[ENTRY_CHECK_TEXT_SIZE];
    const char *rule = entry_check(state, text);

    if (rule) {
        fail_msg("a state that is right breaks a rule: %s", rule);
    }
}

void assert_breaks(const struct vmx_entry_state *state, const char *words)
{
    char text[ENTRY_CHECK_TEXT_SIZE];
    const char *rule = entry_check(state, text);

    assert_string_equal(rule ? rule : "no rule", words);
}

static struct vmx_entry_state apply(const struct edited *edited)
{
    struct vmx_entry_state state = edited->start();

    for (unsigned i = 0; i < MAX_EDITS && edited->edits[i].size; i++) {
        /* Little-endian, as is every CPU with VT-x. */
        memcpy((char *)&state + edited->edits[i].offset, &edited->edits[i].value,
               edited->edits[i].size);
    }
    return state;
}

void check_edited(const struct edited *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct vmx_entry_state state = apply(&cases[i]);

        if (cases[i].words) {
            assert_breaks(&state, cases[i].words);
        } else {
            assert_passes(&state);
        }
    }
}
