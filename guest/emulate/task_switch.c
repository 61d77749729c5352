#include "guest/emulate/task_switch.h"

#include <stddef.h>

#include "guest/emulate/descriptor.h"
#include "kernel/cpu/x86_defs.h"

#define DATA_WRITABLE_ACCESSED 3u

#define TSS_LIMIT_MIN 0x67u
#define TSS_DEBUG     1u /* bit 0 of debug_trap */
#define DR6_BT        (UINT64_C(1) << 15)

/* SDM vol. 3, figure 7-2. */
struct __attribute__((packed)) tss_32 {
    uint32_t link;
    uint32_t stacks[6];
    uint32_t cr3;
    uint32_t eip;
    uint32_t eflags;
    uint32_t gpr[8];
    uint32_t segments[6]; /* in the order of enum virt_segment */
    uint32_t ldt;
    uint16_t debug_trap;
    uint16_t io_bitmap;
};
_Static_assert(sizeof(struct tss_32) == TSS_LIMIT_MIN + 1, "the TSS is laid out by the CPU");

struct task_switch {
    struct descriptor_tables tables;
    enum task_switch_source source;
    const struct virt_event *event; /* NULL: by an instruction */
    uint16_t old_selector;
    uint16_t new_selector;
    struct virt_segment_state old_tr;
    struct descriptor target;
};

/* Did the switch come about without an instruction that asks for it? */
static bool is_external(const struct virt_event *event)
{
    return event->type == VIRT_EVENT_EXTERNAL_INTERRUPT || event->type == VIRT_EVENT_NMI ||
           event->type == VIRT_EVENT_HARDWARE_EXCEPTION;
}

static bool set_busy(struct task_switch *task, struct descriptor *descriptor, bool busy)
{
    descriptor->attributes &= ~DESCRIPTOR_BUSY;
    descriptor->attributes |= busy ? DESCRIPTOR_BUSY : 0;
    return descriptor_write_type(&task->tables, descriptor);
}

/* The checks of the target that end in the old task. */
static bool check_target(struct task_switch *task)
{
    bool back = task->source == TASK_SWITCH_IRET;
    unsigned vector = back ? EXCEPTION_TS : EXCEPTION_GP;
    uint32_t type;

    if ((task->new_selector & SELECTOR_TABLE) != 0) {
        return descriptor_fault(&task->tables, vector, task->new_selector);
    }
    if (!descriptor_read(&task->tables, task->new_selector, vector, &task->target)) {
        return false;
    }
    type = task->target.attributes & DESCRIPTOR_TYPE;
    if ((type & ~DESCRIPTOR_BUSY) != DESCRIPTOR_TSS_32 || ((type & DESCRIPTOR_BUSY) != 0) != back) {
        return descriptor_fault(&task->tables, vector, task->new_selector);
    }
    if ((task->target.attributes & SEGMENT_P) == 0) {
        return descriptor_fault(&task->tables, EXCEPTION_NP, task->new_selector);
    }
    if (task->target.limit < TSS_LIMIT_MIN) {
        return descriptor_fault(&task->tables, EXCEPTION_TS, task->new_selector);
    }
    return true;
}

static void save_state(struct task_switch *task, uint8_t length, struct tss_32 *tss)
{
    struct virt_vcpu *vcpu = task->tables.context->vcpu;
    const struct virt_mode *mode = &task->tables.context->mode;

    tss->eip = (uint32_t)mode->rip + length;
    tss->eflags = (uint32_t)mode->rflags;
    if (task->source == TASK_SWITCH_IRET) {
        tss->eflags &= ~(uint32_t)RFLAGS_NT;
    }
    for (unsigned i = 0; i < 8; i++) {
        tss->gpr[i] = (uint32_t)vcpu_read_gpr(vcpu, i);
    }
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        struct virt_segment_state segment;

        virt->get_segment(vcpu, (enum virt_segment)i, &segment);
        tss->segments[i] = segment.selector;
    }
}

/* The part of the old task's TSS that the CPU writes: from EIP up to the segments. */
static bool write_old_tss(struct task_switch *task, const struct tss_32 *tss)
{
    return linear_write(task->tables.context, task->old_tr.base + offsetof(struct tss_32, eip),
                        &tss->eip, offsetof(struct tss_32, ldt) - offsetof(struct tss_32, eip),
                        PAGE_ACCESS_IMPLICIT);
}

/* Segments of virtual-8086 mode follow from their selectors. */
static void load_virtual_8086(struct task_switch *task, const struct tss_32 *tss)
{
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        const struct virt_segment_state state = {
            .selector = (uint16_t)tss->segments[i],
            .attributes = SEGMENT_P | SEGMENT_DPL_MASK | SEGMENT_S | DATA_WRITABLE_ACCESSED,
            .limit = UINT16_MAX,
            .base = (uint64_t)(uint16_t)tss->segments[i] << 4,
        };

        virt->set_segment(task->tables.context->vcpu, (enum virt_segment)i, &state);
    }
}

/* A fault while the segments are loaded shows the new selectors. Data segments are of no use until
 * then; CS and SS keep the old descriptors, because a CPU cannot be without. */
static void name_segment(struct virt_vcpu *vcpu, enum virt_segment which, uint16_t selector)
{
    struct virt_segment_state state;

    virt->get_segment(vcpu, which, &state);
    state.selector = selector;
    if (which != SEGMENT_CS && which != SEGMENT_SS) {
        state.attributes = SEGMENT_UNUSABLE;
    }
    virt->set_segment(vcpu, which, &state);
}

/* Everything of the new task but its segments: from here on faults belong to it. */
static void load_registers(struct task_switch *task, const struct tss_32 *tss)
{
    struct emulate_context *context = task->tables.context;
    struct virt_vcpu *vcpu = context->vcpu;
    const struct virt_segment_state tr = {.selector = task->new_selector,
                                          .attributes = task->target.attributes,
                                          .limit = task->target.limit,
                                          .base = task->target.base};
    uint64_t rflags = tss->eflags | RFLAGS_FIXED1;
    uint64_t dr7 = virt->get_register(vcpu, REGISTER_DR7);

    virt->set_segment(vcpu, SEGMENT_TR, &tr);
    if ((context->mode.cr0 & CR0_PG) != 0) {
        virt->set_register(vcpu, REGISTER_CR3, tss->cr3);
    }
    virt->write_cr(vcpu, 0, context->mode.cr0 | CR0_TS);
    if (task->source == TASK_SWITCH_CALL || task->source == TASK_SWITCH_TASK_GATE) {
        rflags |= RFLAGS_NT;
    }
    virt->set_register(vcpu, REGISTER_RIP, tss->eip);
    virt->set_register(vcpu, REGISTER_RFLAGS, rflags);
    for (unsigned i = 0; i < 8; i++) {
        vcpu_write_gpr(vcpu, i, tss->gpr[i]);
    }
    /* Local breakpoints are the old task's (SDM vol. 3, 18.2.4). */
    virt->set_register(vcpu, REGISTER_DR7, dr7 & ~UINT64_C(0x155));
    for (unsigned i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
        name_segment(vcpu, (enum virt_segment)i, (uint16_t)tss->segments[i]);
    }
    virt->get_mode(vcpu, &context->mode);
}

static bool load_segments(struct task_switch *task, const struct tss_32 *tss)
{
    static const uint8_t order[] = {SEGMENT_CS, SEGMENT_SS, SEGMENT_DS,
                                    SEGMENT_ES, SEGMENT_FS, SEGMENT_GS};
    unsigned cpl = tss->segments[SEGMENT_CS] & SELECTOR_RPL;

    /* The descriptor tables are reached as supervisor whatever the new CPL. */
    if (!descriptor_load_ldt(&task->tables, (uint16_t)tss->ldt)) {
        return false;
    }
    if ((tss->eflags & RFLAGS_VM) != 0) {
        load_virtual_8086(task, tss);
        return true;
    }
    for (unsigned i = 0; i < sizeof(order); i++) {
        if (!descriptor_load_segment(&task->tables, (enum virt_segment)order[i],
                                     (uint16_t)tss->segments[order[i]], cpl)) {
            return false;
        }
    }
    return true;
}

/* The error code of the exception that met a task gate goes onto the new task's stack. */
static bool push_error_code(struct task_switch *task)
{
    struct emulate_context *context = task->tables.context;
    struct virt_segment_state ss;
    uint32_t error_code = task->event->error_code;
    uint64_t stack = vcpu_read_gpr(context->vcpu, GPR_RSP);
    uint64_t linear;

    virt->get_segment(context->vcpu, SEGMENT_SS, &ss);
    uint64_t mask = (ss.attributes & SEGMENT_DB) != 0 ? UINT32_MAX : UINT16_MAX;
    uint64_t top = (stack & ~mask) | ((stack - sizeof(error_code)) & mask);
    if (!linear_address(context, SEGMENT_SS, top & mask, sizeof(error_code), true, &linear) ||
        !linear_write(context, linear, &error_code, sizeof(error_code), 0)) {
        return false;
    }
    vcpu_write_gpr(context->vcpu, GPR_RSP, top);
    return true;
}

/* Where the old task goes on: behind an instruction, at what was interrupted otherwise. */
static uint8_t instruction_length(const struct vm_exit *exit)
{
    switch (exit->task_switch.during.type) {
    case VIRT_EVENT_NONE:
        return exit->instruction_length;
    case VIRT_EVENT_SOFTWARE_INTERRUPT:
    case VIRT_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION:
    case VIRT_EVENT_SOFTWARE_EXCEPTION:
        return exit->task_switch.during.instruction_length;
    default:
        return 0;
    }
}

/* Up to the point where the new task is the one that runs. */
static bool switch_tasks(struct task_switch *task, uint8_t length, struct tss_32 *tss)
{
    struct emulate_context *context = task->tables.context;
    bool nested = task->source == TASK_SWITCH_CALL || task->source == TASK_SWITCH_TASK_GATE;
    struct descriptor old;
    uint32_t link = task->old_selector;

    if (!descriptor_read(&task->tables, task->old_selector, EXCEPTION_TS, &old) ||
        !linear_read(context, task->target.base, tss, sizeof(*tss), PAGE_ACCESS_IMPLICIT)) {
        return false;
    }
    struct tss_32 saved = {0};
    save_state(task, length, &saved);
    if (!write_old_tss(task, &saved) || (!nested && !set_busy(task, &old, false)) ||
        (nested && !linear_write(context, task->target.base, &link, sizeof(uint16_t),
                                 PAGE_ACCESS_IMPLICIT)) ||
        (task->source != TASK_SWITCH_IRET && !set_busy(task, &task->target, true))) {
        return false;
    }
    return true;
}

enum emulate_result emulate_task_switch(struct emulate_context *context, const struct vm_exit *exit)
{
    const struct virt_event *during = &exit->task_switch.during;
    struct virt_table_state idtr;
    struct tss_32 tss;
    struct task_switch task = {
        .tables = {.context = context, .external = is_external(during)},
        .source = exit->task_switch.source,
        .event = during->type != VIRT_EVENT_NONE ? during : NULL,
        .new_selector = exit->task_switch.selector,
    };

    virt->get_mode(context->vcpu, &context->mode);
    context->guest_phys_valid = false;
    context->guest_linear_valid = false;
    context->byte_count = 0;
    virt->get_segment(context->vcpu, SEGMENT_TR, &task.old_tr);
    virt->get_tables(context->vcpu, &task.tables.gdtr, &idtr);
    task.old_selector = task.old_tr.selector;
    if (!check_target(&task)) {
        uint32_t type = task.target.attributes & DESCRIPTOR_TYPE;

        return (type & ~DESCRIPTOR_BUSY) == DESCRIPTOR_TSS_16 ? EMULATE_UNDECODABLE : EMULATE_FAULT;
    }
    if (!switch_tasks(&task, instruction_length(exit), &tss)) {
        return EMULATE_FAULT;
    }
    load_registers(&task, &tss);
    if (!load_segments(&task, &tss) ||
        (task.event != NULL && task.event->has_error_code && !push_error_code(&task))) {
        emulate_deliver_fault(context);
        return EMULATE_DONE;
    }
    if ((tss.debug_trap & TSS_DEBUG) != 0) {
        virt->set_register(context->vcpu, REGISTER_DR6,
                           virt->get_register(context->vcpu, REGISTER_DR6) | DR6_BT);
        virt->inject_exception(context->vcpu, EXCEPTION_DB, false, 0);
    }
    return EMULATE_DONE;
}
