/*
 * The injection decision at work: a guest CPU in small that runs random instructions under it and
 * must get everything that waits, in time, in order, and without exits in a loop. It runs as real
 * ones do: a window exit comes when the guest could take the event, in the shadow of STI too for
 * NMIs; with virtual-interrupt delivery it takes vectors by itself. Decisions are made only when
 * something changed, or when the last one said so.
 */
#include "tests/unit/support/cmocka.h"

#include "vmx/definitions.h"
#include "vmx/inject.h"

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static unsigned random_below(unsigned limit)
{
    return (unsigned)((random_bits() >> 20) % limit);
}

struct cpu {
    struct injection_input input; /* what the CPU is like; pending is filled for each decision */
    bool irr[256];
    bool isr[256];
    bool pic;
    uint8_t tpr;
    unsigned nmi_pending;
    unsigned depth; /* handlers that run, and what each is */
    bool in_nmi[512];
    bool saved_if[512];

    bool changed; /* decide before the next entry */
    struct injection decision;
    uint8_t rvi;

    unsigned raised;
    unsigned taken;
    unsigned idle_exits; /* exits without an instruction or a delivery between them */
};

static int highest(const bool *vectors)
{
    for (int vector = 255; vector >= 0; vector--) {
        if (vectors[vector]) {
            return vector;
        }
    }
    return -1;
}

static bool cpu_shadow(const struct cpu *cpu)
{
    return cpu->input.interruptibility & 3;
}

static bool cpu_open(const struct cpu *cpu)
{
    return cpu->input.interrupts_enabled && !cpu_shadow(cpu);
}

static bool cpu_above_ppr(const struct cpu *cpu, int vector)
{
    int isr = highest(cpu->isr);

    return vector >= 0 && vector / 16 > cpu->tpr / 16 && (isr < 0 || vector / 16 > isr / 16);
}

static void cpu_deliver(struct cpu *cpu, bool nmi)
{
    assert_true(cpu->depth < 512);
    cpu->in_nmi[cpu->depth] = nmi;
    cpu->saved_if[cpu->depth] = cpu->input.interrupts_enabled;
    cpu->depth++;
    cpu->input.interrupts_enabled = false;
    cpu->input.interruptibility &= INTERRUPTIBILITY_NMI;
    if (nmi) {
        cpu->input.interruptibility |= INTERRUPTIBILITY_NMI;
    }
    cpu->taken++;
    cpu->idle_exits = 0;
}

static void cpu_accept(struct cpu *cpu, int vector)
{
    assert_true(cpu->irr[vector]);
    assert_int_equal(vector, highest(cpu->irr)); /* the highest first */
    assert_true(cpu_above_ppr(cpu, vector));
    assert_true(cpu_open(cpu));
    cpu->irr[vector] = false;
    cpu->isr[vector] = true;
    cpu_deliver(cpu, false);
}

static void cpu_enter(struct cpu *cpu)
{
    struct injection *decision = &cpu->decision;

    if (!cpu->changed && !decision->decide_again) {
        decision->source = INJECT_NOTHING; /* the controls stay as they are */
        return;
    }
    cpu->changed = false;
    cpu->input.nmi_pending = (uint8_t)cpu->nmi_pending;
    cpu->input.pending = (struct virt_pending_interrupts){.pic = cpu->pic,
                                                          .apic_irr = highest(cpu->irr),
                                                          .apic_isr = highest(cpu->isr),
                                                          .tpr = cpu->tpr};
    decide_injection(&cpu->input, decision);
    cpu->rvi = decision->rvi;
    switch (decision->source) {
    case INJECT_NMI:
        assert_false(cpu_shadow(cpu));
        assert_false(cpu->input.interruptibility & INTERRUPTIBILITY_NMI);
        cpu->nmi_pending--;
        cpu_deliver(cpu, true);
        break;
    case INJECT_PIC:
        assert_true(cpu_open(cpu));
        cpu->pic = false;
        cpu_deliver(cpu, false);
        break;
    case INJECT_APIC:
        cpu_accept(cpu, decision->event.vector);
        break;
    default:
        break;
    }
}

/* Before an instruction: true if the CPU leaves the guest. */
static bool cpu_window(struct cpu *cpu)
{
    bool nmi_open =
        !(cpu->input.interruptibility & (INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS));

    return (cpu->decision.interrupt_window && cpu_open(cpu)) ||
           (cpu->decision.nmi_window && nmi_open);
}

/* What the CPU should have taken before this instruction. */
static void cpu_assert_nothing_late(const struct cpu *cpu)
{
    bool nmi_open = !cpu->input.interruptibility;

    assert_false(cpu_open(cpu) && cpu->pic);
    assert_false(cpu_open(cpu) && cpu_above_ppr(cpu, highest(cpu->irr)));
    /* STI; CLI before an NMI that waited in the shadow: at the next exit at the latest. */
    assert_false(nmi_open && cpu->nmi_pending && !cpu->decision.decide_again);
}

static bool cpu_set_tpr(struct cpu *cpu, uint8_t tpr)
{
    cpu->tpr = tpr;
    if (!cpu->input.tpr_shadow) {
        return true; /* emulated */
    }
    return !cpu->input.virtual_interrupt_delivery && tpr / 16 < cpu->decision.tpr_threshold;
}

/* One instruction; true if it exits with a change. */
static bool cpu_instruction(struct cpu *cpu, unsigned which)
{
    uint32_t shadow = 0;
    bool exits = false;
    int isr;

    switch (which) {
    case 0:
        cpu->input.interrupts_enabled = false;
        break;
    case 1:
        shadow = cpu->input.interrupts_enabled ? 0 : INTERRUPTIBILITY_STI;
        cpu->input.interrupts_enabled = true;
        break;
    case 2:
        /* A second MOV SS in a row need not block. */
        shadow = cpu_shadow(cpu) ? 0 : INTERRUPTIBILITY_MOV_SS;
        break;
    case 3: /* IRET */
        if (cpu->depth) {
            cpu->depth--;
            cpu->input.interrupts_enabled = cpu->saved_if[cpu->depth];
            cpu->input.interruptibility &= ~INTERRUPTIBILITY_NMI;
        }
        break;
    case 4: /* EOI */
        isr = highest(cpu->isr);
        if (isr >= 0) {
            cpu->isr[isr] = false;
            exits = !cpu->input.virtual_interrupt_delivery;
        }
        break;
    case 5:
        exits = cpu_set_tpr(cpu, (uint8_t)random_below(256));
        break;
    case 6:
        exits = cpu_set_tpr(cpu, 0);
        break;
    case 7: /* POPF with IF */
        cpu->input.interrupts_enabled = true;
        break;
    default:
        break;
    }
    cpu->input.interruptibility = (cpu->input.interruptibility & INTERRUPTIBILITY_NMI) | shadow;
    return exits;
}

/* Runs the guest for some instructions or until an exit. */
static void cpu_run(struct cpu *cpu, const unsigned *script, unsigned choices)
{
    cpu_enter(cpu);
    for (unsigned budget = 1 + random_below(8); budget > 0; budget--) {
        if (cpu_window(cpu)) {
            cpu->changed = true;
            cpu->idle_exits++;
            assert_true(cpu->idle_exits < 3); /* no exit, entry, exit, entry, ... */
            return;
        }
        if (cpu->input.virtual_interrupt_delivery && !cpu->decision.interrupt_window &&
            cpu_open(cpu) && cpu_above_ppr(cpu, cpu->rvi ? cpu->rvi : -1)) {
            cpu_accept(cpu, cpu->rvi);
            cpu->rvi = (uint8_t)(highest(cpu->irr) < 0 ? 0 : highest(cpu->irr));
            continue;
        }
        cpu_assert_nothing_late(cpu);
        cpu->idle_exits = 0;
        if (cpu_instruction(cpu, script[random_below(choices)])) {
            cpu->changed = true;
            return;
        }
    }
}

static void cpu_raise(struct cpu *cpu)
{
    int vector = 16 + (int)random_below(240);

    switch (random_below(3)) {
    case 0:
        cpu->raised += !cpu->pic;
        cpu->pic = true;
        break;
    case 1:
        if (cpu->nmi_pending < 2) {
            cpu->raised++;
            cpu->nmi_pending++;
        }
        break;
    default:
        cpu->raised += !cpu->irr[vector];
        cpu->irr[vector] = true;
        break;
    }
    cpu->changed = true;
}

static void test_guest_gets_everything(void **context)
{
    static const unsigned anything[] = {0, 1, 2, 3, 3, 4, 4, 5, 6, 7, 8, 8};
    static const unsigned handlers_end[] = {1, 3, 4, 6, 7, 8};

    (void)context;
    for (unsigned round = 0; round < 3000; round++) {
        struct cpu cpu = {.input = {.activity = ACTIVITY_ACTIVE,
                                    .interrupts_enabled = true,
                                    .protected_mode = true,
                                    .virtual_nmis = true},
                          .changed = true};

        cpu.input.tpr_shadow = random_below(3) != 0;
        cpu.input.virtual_interrupt_delivery = cpu.input.tpr_shadow && random_below(2);
        for (unsigned step = 0; step < 200; step++) {
            if (random_below(4) == 0 && cpu.depth < 400) {
                cpu_raise(&cpu);
            }
            cpu_run(&cpu, anything, sizeof(anything) / sizeof(anything[0]));
        }
        for (unsigned step = 0; step < 20000 && (cpu.taken < cpu.raised || cpu.depth); step++) {
            cpu_run(&cpu, handlers_end, sizeof(handlers_end) / sizeof(handlers_end[0]));
        }
        assert_int_equal(cpu.taken, cpu.raised);
        assert_int_equal(highest(cpu.irr), -1);
        assert_int_equal(cpu.nmi_pending, 0);
        assert_false(cpu.pic);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_gets_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
