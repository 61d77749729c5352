/* When VM entry fails, or a guest is past help: what is in the VMCS, and what is wrong with it. */
#include <errno.h>
#include <stddef.h>

#include "kernel/cpu/x86.h"
#include "kernel/log.h"
#include "vmx/definitions.h"
#include "vmx/entry_check.h"
#include "vmx/instructions.h"
#include "vmx/vcpu.h"

/* VM-instruction error numbers that VM entry can give (SDM vol. 3, 31.4). */
const char *vmx_instruction_error(uint32_t error)
{
    switch (error) {
    case 4:
        return "VMLAUNCH with a VMCS that is not clear";
    case 5:
        return "VMRESUME with a VMCS that is not launched";
    case 6:
        return "VMRESUME after VMXOFF";
    case 7:
        return "controls: the CPU does not say which rule";
    case 8:
        return "host state: the CPU does not say which rule";
    case 26:
        return "VM entry with events blocked by MOV SS";
    default:
        return "VM entry was refused for a reason that is not known here";
    }
}

static void read_controls(const struct vmx_vcpu *vcpu, struct vmx_entry_controls *controls)
{
    const uint8_t *apic = vcpu->apic_page;

    *controls = (struct vmx_entry_controls){
        .pin = vmcs_read32(VMCS_PIN_CONTROLS),
        .proc = vmcs_read32(VMCS_PROC_CONTROLS),
        .proc2 = vmcs_read32(VMCS_PROC2_CONTROLS),
        .exit = vmcs_read32(VMCS_EXIT_CONTROLS),
        .entry = vmcs_read32(VMCS_ENTRY_CONTROLS),
        .cr3_target_count = vmcs_read32(VMCS_CR3_TARGET_COUNT),
        .io_bitmap_a = vmcs_read64(VMCS_IO_BITMAP_A),
        .io_bitmap_b = vmcs_read64(VMCS_IO_BITMAP_B),
        .msr_bitmap = vmcs_read64(VMCS_MSR_BITMAP),
        .eptp = vmcs_read64(VMCS_EPT_POINTER),
        .exit_msr_store_count = vmcs_read32(VMCS_EXIT_MSR_STORE_COUNT),
        .exit_msr_load_count = vmcs_read32(VMCS_EXIT_MSR_LOAD_COUNT),
        .entry_msr_load_count = vmcs_read32(VMCS_ENTRY_MSR_LOAD_COUNT),
        .interruption_info = vmcs_read32(VMCS_ENTRY_INTERRUPTION_INFO),
        .interruption_error = vmcs_read32(VMCS_ENTRY_ERROR_CODE),
        .instruction_length = vmcs_read32(VMCS_ENTRY_INSTRUCTION_LENGTH),
    };
    /* The CPU has these fields only if it has the feature. */
    if (vmx_controls.features.tpr_shadow) {
        controls->virtual_apic_page = vmcs_read64(VMCS_VIRTUAL_APIC_PAGE);
        controls->tpr_threshold = vmcs_read32(VMCS_TPR_THRESHOLD);
        controls->virtual_tpr = apic[0x80];
    }
    if (vmx_controls.features.apic_access_page) {
        controls->apic_access_page = vmcs_read64(VMCS_APIC_ACCESS_PAGE);
    }
    if (vmx_controls.features.vpid) {
        controls->vpid = vmcs_read16(VMCS_VPID);
    }
}

static void read_host(struct vmx_entry_host *host)
{
    *host = (struct vmx_entry_host){
        .cr0 = vmcs_read_natural(VMCS_HOST_CR0),
        .cr3 = vmcs_read_natural(VMCS_HOST_CR3),
        .cr4 = vmcs_read_natural(VMCS_HOST_CR4),
        .rip = vmcs_read_natural(VMCS_HOST_RIP),
        .efer = vmcs_read64(VMCS_HOST_EFER),
        .pat = vmcs_read64(VMCS_HOST_PAT),
        .perf_global_ctrl = vmx_controls.exit & EXIT_LOAD_PERF_GLOBAL_CTRL
                                ? vmcs_read64(VMCS_HOST_PERF_GLOBAL_CTRL)
                                : 0,
        .sysenter_esp = vmcs_read_natural(VMCS_HOST_SYSENTER_ESP),
        .sysenter_eip = vmcs_read_natural(VMCS_HOST_SYSENTER_EIP),
        .fs_base = vmcs_read_natural(VMCS_HOST_FS_BASE),
        .gs_base = vmcs_read_natural(VMCS_HOST_GS_BASE),
        .tr_base = vmcs_read_natural(VMCS_HOST_TR_BASE),
        .gdtr_base = vmcs_read_natural(VMCS_HOST_GDTR_BASE),
        .idtr_base = vmcs_read_natural(VMCS_HOST_IDTR_BASE),
        .es = vmcs_read16(VMCS_HOST_ES_SELECTOR),
        .cs = vmcs_read16(VMCS_HOST_CS_SELECTOR),
        .ss = vmcs_read16(VMCS_HOST_SS_SELECTOR),
        .ds = vmcs_read16(VMCS_HOST_DS_SELECTOR),
        .fs = vmcs_read16(VMCS_HOST_FS_SELECTOR),
        .gs = vmcs_read16(VMCS_HOST_GS_SELECTOR),
        .tr = vmcs_read16(VMCS_HOST_TR_SELECTOR),
    };
}

static void read_guest(struct vmx_entry_guest *guest)
{
    *guest = (struct vmx_entry_guest){
        .cr0 = vmcs_read_natural(VMCS_GUEST_CR0),
        .cr3 = vmcs_read_natural(VMCS_GUEST_CR3),
        .cr4 = vmcs_read_natural(VMCS_GUEST_CR4),
        .dr7 = vmcs_read_natural(VMCS_GUEST_DR7),
        .rip = vmcs_read_natural(VMCS_GUEST_RIP),
        .rflags = vmcs_read_natural(VMCS_GUEST_RFLAGS),
        .debugctl = vmcs_read64(VMCS_GUEST_DEBUGCTL),
        .efer = vmcs_read64(VMCS_GUEST_EFER),
        .pat = vmcs_read64(VMCS_GUEST_PAT),
        .perf_global_ctrl = vmx_controls.entry & ENTRY_LOAD_PERF_GLOBAL_CTRL
                                ? vmcs_read64(VMCS_GUEST_PERF_GLOBAL_CTRL)
                                : 0,
        .sysenter_esp = vmcs_read_natural(VMCS_GUEST_SYSENTER_ESP),
        .sysenter_eip = vmcs_read_natural(VMCS_GUEST_SYSENTER_EIP),
        .gdtr_base = vmcs_read_natural(VMCS_GUEST_GDTR_BASE),
        .gdtr_limit = vmcs_read32(VMCS_GUEST_GDTR_LIMIT),
        .idtr_base = vmcs_read_natural(VMCS_GUEST_IDTR_BASE),
        .idtr_limit = vmcs_read32(VMCS_GUEST_IDTR_LIMIT),
        .activity = vmcs_read32(VMCS_GUEST_ACTIVITY),
        .interruptibility = vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY),
        .pending_debug = vmcs_read_natural(VMCS_GUEST_PENDING_DEBUG),
        .link_pointer = vmcs_read64(VMCS_LINK_POINTER),
    };
    for (unsigned i = 0; i < SEGMENT_COUNT; i++) {
        vmx_get_segment(NULL, (enum virt_segment)i, &guest->segments[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        guest->pdpte[i] = vmcs_read64(vmcs_guest_pdpte(i));
    }
}

void vmx_explain_failure(struct vmx_vcpu *vcpu, const char **rule)
{
    struct vmx_entry_state state = {.capabilities = vmx_capabilities.limits};
    const char *broken;

    read_controls(vcpu, &state.controls);
    read_host(&state.host);
    read_guest(&state.guest);
    broken = entry_check(&state, vcpu->broken_rule);
    if (broken) {
        *rule = broken;
    }
}

static void break_bits32(struct vmcs_field32 field, uint32_t bits)
{
    vmcs_write32(field, vmcs_read32(field) ^ bits);
}

static void break_bits(struct vmcs_field_natural field, uint64_t bits)
{
    vmcs_write_natural(field, vmcs_read_natural(field) ^ bits);
}

/* Interruption type 1 is reserved; the vector does not matter. */
#define RESERVED_EVENT (INTERRUPTION_VALID | 1u << INTERRUPTION_TYPE_SHIFT)

static void break_cs_granularity(void)
{
    /* Byte granularity for more than a byte-granular limit can say. */
    struct virt_segment_state cs;

    vmx_get_segment(NULL, SEGMENT_CS, &cs);
    cs.attributes &= ~SEGMENT_G;
    cs.limit = 0xffffffff;
    vmx_set_segment(NULL, SEGMENT_CS, &cs);
}

static void break_rflags(void)
{
    break_bits(VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
}

static void break_cr0(void)
{
    vmcs_write_natural(VMCS_GUEST_CR0, (vmcs_read_natural(VMCS_GUEST_CR0) | CR0_PG) & ~CR0_PE);
}

static void break_tr(void)
{
    break_bits32(vmcs_guest_access_rights(SEGMENT_TR), SEGMENT_UNUSABLE);
}

static void break_link_pointer(void)
{
    vmcs_write64(VMCS_LINK_POINTER, 0x123);
}

static void break_activity(void)
{
    vmcs_write32(VMCS_GUEST_ACTIVITY, ACTIVITY_STATE_WAIT_FOR_SIPI + 1);
}

static void break_event(void)
{
    vmcs_write32(VMCS_ENTRY_INTERRUPTION_INFO, RESERVED_EVENT);
}

static void break_cr4(void)
{
    break_bits(VMCS_GUEST_CR4, CR4_VMXE);
}

static void break_interruptibility(void)
{
    vmcs_write32(VMCS_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);
}

static void break_ept_pointer(void)
{
    vmcs_write64(VMCS_EPT_POINTER, vmcs_read64(VMCS_EPT_POINTER) & ~EPTP_WALK_MASK);
}

static void break_pin_controls(void)
{
    break_bits32(VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
}

static void break_host_cr4(void)
{
    break_bits(VMCS_HOST_CR4, CR4_PAE);
}

int vmx_break_state(struct virt_vcpu *vcpu, unsigned which)
{
    static void (*const breakers[])(void) = {
        break_cs_granularity,   break_rflags,      break_cr0,          break_tr,
        break_link_pointer,     break_activity,    break_event,        break_cr4,
        break_interruptibility, break_ept_pointer, break_pin_controls, break_host_cr4,
    };

    (void)vcpu;
    if (which >= sizeof(breakers) / sizeof(breakers[0])) {
        return -ENOENT;
    }
    breakers[which]();
    return 0;
}

static void dump_segments(void)
{
    static const char names[SEGMENT_COUNT][5] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};

    for (unsigned i = 0; i < SEGMENT_COUNT; i++) {
        struct virt_segment_state segment;

        vmx_get_segment(NULL, (enum virt_segment)i, &segment);
        log_error("  %s %04x base %016lx limit %08x attributes %05x", names[i], segment.selector,
                  segment.base, segment.limit, segment.attributes);
    }
}

void vmx_dump(struct virt_vcpu *virt_vcpu)
{
    const struct vmx_vcpu *vcpu = vmx_vcpu(virt_vcpu);
    const uint64_t *gpr = virt_vcpu->gpr;

    log_error("  RIP %016lx RSP %016lx RFLAGS %08lx", vmcs_read_natural(VMCS_GUEST_RIP),
              vmcs_read_natural(VMCS_GUEST_RSP), vmcs_read_natural(VMCS_GUEST_RFLAGS));
    log_error("  RAX %016lx RBX %016lx RCX %016lx RDX %016lx", gpr[GPR_RAX], gpr[GPR_RBX],
              gpr[GPR_RCX], gpr[GPR_RDX]);
    log_error("  RSI %016lx RDI %016lx RBP %016lx R8  %016lx", gpr[GPR_RSI], gpr[GPR_RDI],
              gpr[GPR_RBP], gpr[GPR_R8]);
    log_error("  R9  %016lx R10 %016lx R11 %016lx R12 %016lx", gpr[GPR_R9], gpr[GPR_R10],
              gpr[GPR_R11], gpr[GPR_R12]);
    log_error("  R13 %016lx R14 %016lx R15 %016lx", gpr[GPR_R13], gpr[GPR_R14], gpr[GPR_R15]);
    log_error("  CR0 %08lx (guest sees %08lx) CR2 %016lx CR3 %016lx",
              vmcs_read_natural(VMCS_GUEST_CR0), vmx_get_cr0(vcpu), read_cr2(),
              vmcs_read_natural(VMCS_GUEST_CR3));
    log_error("  CR4 %08lx (guest sees %08lx) EFER %08lx DR7 %08lx",
              vmcs_read_natural(VMCS_GUEST_CR4), vmx_get_cr4(vcpu), vmcs_read64(VMCS_GUEST_EFER),
              vmcs_read_natural(VMCS_GUEST_DR7));
    dump_segments();
    log_error("  GDTR %016lx/%04x IDTR %016lx/%04x", vmcs_read_natural(VMCS_GUEST_GDTR_BASE),
              vmcs_read32(VMCS_GUEST_GDTR_LIMIT), vmcs_read_natural(VMCS_GUEST_IDTR_BASE),
              vmcs_read32(VMCS_GUEST_IDTR_LIMIT));
    log_error(
        "  activity %u interruptibility %#x pending debug %#lx event %#x queued %d/%u NMIs %u",
        vmcs_read32(VMCS_GUEST_ACTIVITY), vmcs_read32(VMCS_GUEST_INTERRUPTIBILITY),
        vmcs_read_natural(VMCS_GUEST_PENDING_DEBUG), vmcs_read32(VMCS_ENTRY_INTERRUPTION_INFO),
        vcpu->queued.type, vcpu->queued.vector, vcpu->nmi_pending);
    log_error("  controls: pin %08x proc %08x proc2 %08x exit %08x entry %08x",
              vmcs_read32(VMCS_PIN_CONTROLS), vmcs_read32(VMCS_PROC_CONTROLS),
              vmcs_read32(VMCS_PROC2_CONTROLS), vmcs_read32(VMCS_EXIT_CONTROLS),
              vmcs_read32(VMCS_ENTRY_CONTROLS));
    log_error("  exit: reason %#x qualification %#lx interruption %#x IDT-vectoring %#x",
              vmcs_read32(VMCS_EXIT_REASON), vmcs_read_natural(VMCS_EXIT_QUALIFICATION),
              vmcs_read32(VMCS_EXIT_INTERRUPTION_INFO), vmcs_read32(VMCS_IDT_VECTORING_INFO));
}
