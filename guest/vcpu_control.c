/* Control, debug and extended control registers: what a guest may set, and what it gets for trying.
 */
#include "guest/vcpu.h"
#include "guest/vm.h"
#include "kernel/cpu/x86_defs.h"

#define DR6_BD (UINT64_C(1) << 13)
#define DR7_GD (UINT64_C(1) << 13)
/* LMSW writes these bits of CR0, and cannot clear PE (SDM vol. 2, LMSW). */
#define LMSW_BITS (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

bool vcpu_control_allowed(struct vcpu *vcpu, enum control_result result)
{
    switch (result) {
    case CONTROL_OK:
        return true;
    case CONTROL_GP:
        virt->inject_exception(vcpu->cpu, EXCEPTION_GP, true, 0);
        break;
    case CONTROL_UD:
        virt->inject_exception(vcpu->cpu, EXCEPTION_UD, false, 0);
        break;
    case CONTROL_DB:
        virt->set_register(vcpu->cpu, REGISTER_DR6,
                           virt->get_register(vcpu->cpu, REGISTER_DR6) | DR6_BD);
        virt->set_register(vcpu->cpu, REGISTER_DR7,
                           virt->get_register(vcpu->cpu, REGISTER_DR7) & ~DR7_GD);
        virt->inject_exception(vcpu->cpu, EXCEPTION_DB, false, 0);
        break;
    }
    return false;
}

static void get_control_state(struct vcpu *vcpu, struct control_state *state)
{
    struct virt_mode mode;

    virt->get_mode(vcpu->cpu, &mode);
    *state = (struct control_state){.cr0 = mode.cr0,
                                    .cr3 = mode.cr3,
                                    .cr4 = mode.cr4,
                                    .efer = mode.efer,
                                    .cs_long = mode.cs_attributes & SEGMENT_L,
                                    .cpl = mode.cpl};
}

static bool write_control_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
    const struct control_policy *policy = &vcpu->vm->control;
    struct control_state state;
    enum control_result result;

    get_control_state(vcpu, &state);
    switch (number) {
    case 0:
        result = cr0_write_check(policy, &state, value);
        value = cr0_effective(value);
        break;
    case 3:
        result = cr3_write_check(policy, &state, value);
        break;
    case 4:
        result = cr4_write_check(policy, &state, value);
        break;
    default:
        result = cr8_write_check(value);
        break;
    }
    if (!vcpu_control_allowed(vcpu, result)) {
        return false;
    }
    if (number == 8) {
        /* The check above is all that can be wrong with it. */
        (void)lapic_cr8_write(&vcpu->lapic, value);
    } else if (number == 3) {
        virt->set_register(vcpu->cpu, REGISTER_CR3, value);
    } else {
        virt->write_cr(vcpu->cpu, number, value);
    }
    return true;
}

static uint64_t read_control_register(struct vcpu *vcpu, unsigned number)
{
    switch (number) {
    case 0:
        return virt->get_register(vcpu->cpu, REGISTER_CR0);
    case 3:
        return virt->get_register(vcpu->cpu, REGISTER_CR3);
    case 4:
        return virt->get_register(vcpu->cpu, REGISTER_CR4);
    default:
        return lapic_cr8_read(&vcpu->lapic);
    }
}

enum virt_next vcpu_handle_cr(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    uint64_t cr0;
    uint64_t value;
    bool done = true;

    switch (exit->cr.operation) {
    case CR_MOV_FROM:
        vcpu_write_gpr(vcpu->cpu, exit->cr.gpr, read_control_register(vcpu, exit->cr.number));
        break;
    case CR_MOV_TO:
        value = vcpu_read_gpr(vcpu->cpu, exit->cr.gpr);
        done = write_control_register(vcpu, exit->cr.number, value);
        break;
    case CR_CLTS:
        cr0 = virt->get_register(vcpu->cpu, REGISTER_CR0);
        done = write_control_register(vcpu, 0, cr0 & ~CR0_TS);
        break;
    case CR_LMSW:
        cr0 = virt->get_register(vcpu->cpu, REGISTER_CR0);
        value = (cr0 & ~LMSW_BITS) | (exit->cr.lmsw_source & LMSW_BITS) | (cr0 & CR0_PE);
        done = write_control_register(vcpu, 0, value);
        break;
    }
    return done ? VIRT_ADVANCE : VIRT_ENTER;
}

enum virt_next vcpu_handle_dr(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    const struct control_policy *policy = &vcpu->vm->control;
    uint64_t value = vcpu_read_gpr(vcpu->cpu, exit->dr.gpr);
    struct control_state state;
    enum virt_register which;
    unsigned number;

    get_control_state(vcpu, &state);
    if (!vcpu_control_allowed(
            vcpu, dr_access_check(policy, &state, virt->get_register(vcpu->cpu, REGISTER_DR7),
                                  exit->dr.number, !exit->dr.from_dr, value, &number))) {
        return VIRT_ENTER;
    }
    which = number < 4 ? (enum virt_register)(REGISTER_DR0 + number)
                       : (number == 6 ? REGISTER_DR6 : REGISTER_DR7);
    if (exit->dr.from_dr) {
        vcpu_write_gpr(vcpu->cpu, exit->dr.gpr, virt->get_register(vcpu->cpu, which));
    } else {
        if (number == 6) {
            value = dr6_effective(policy, value);
        } else if (number == 7) {
            value = dr7_effective(policy, value);
        }
        virt->set_register(vcpu->cpu, which, value);
    }
    return VIRT_ADVANCE;
}

enum virt_next vcpu_handle_xsetbv(void *context, const struct vm_exit *exit)
{
    struct vcpu *vcpu = context;
    const uint64_t *gpr = vcpu->cpu->gpr;
    uint64_t value = gpr[GPR_RDX] << 32 | (gpr[GPR_RAX] & UINT64_C(0xffffffff));
    struct control_state state;

    get_control_state(vcpu, &state);
    (void)exit;
    if (!vcpu_control_allowed(
            vcpu, xcr_write_check(&vcpu->vm->control, &state, (uint32_t)gpr[GPR_RCX], value))) {
        return VIRT_ENTER;
    }
    virt->set_register(vcpu->cpu, REGISTER_XCR0, value);
    return VIRT_ADVANCE;
}
