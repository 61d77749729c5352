/*
 * The local APIC's states: reset, INIT and the modes that IA32_APIC_BASE selects (SDM vol. 3, 11.4
 * and 11.12).
 */
#include <errno.h>
#include <string.h>

#include "guest/devices/lapic.h"
#include "guest/devices/lapic_registers.h"

#define BASE_ADDRESS (~0xfffull)

/* The x2APIC ID and the logical ID derived from it (11.12.9, 11.12.10). */
static void set_x2apic_identity(struct lapic *lapic)
{
    lapic_set(lapic, LAPIC_ID, lapic->id);
    lapic_set(lapic, LAPIC_LDR, ((lapic->id >> 4) << 16) | (1u << (lapic->id & 15)));
}

/* All registers as after RESET, for the mode at hand. */
static void reset_registers(struct lapic *lapic)
{
    memset(lapic->page, 0, LAPIC_PAGE_SIZE);
    lapic->irr_words = lapic->cpu_delivers ? 0xff : 0;
    __atomic_store_n(&lapic->isr_words, lapic->irr_words, __ATOMIC_RELAXED);
    lapic_timer_reset(lapic);
    for (unsigned word = 0; word < 4; word++) {
        __atomic_store_n(&lapic->requested[word], 0, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&lapic->errors, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lapic->extint, false, __ATOMIC_RELAXED);
    __atomic_store_n(&lapic->software_enabled, false, __ATOMIC_RELAXED);
    lapic_set(lapic, LAPIC_VERSION, LAPIC_VERSION_VALUE);
    lapic_set(lapic, LAPIC_SVR, 0xff);
    for (unsigned offset = LAPIC_LVT_TIMER; offset <= LAPIC_LVT_ERROR; offset += 16) {
        lapic_set(lapic, offset, LVT_MASKED);
    }
    if (lapic_mode(lapic) == APIC_MODE_X2APIC) {
        set_x2apic_identity(lapic);
    } else {
        lapic_set(lapic, LAPIC_ID, lapic->id << 24);
        lapic_set(lapic, LAPIC_DFR, 0xffffffff);
    }
}

static enum virt_apic_mode mode_of(uint64_t base)
{
    if (!(base & MSR_APIC_BASE_ENABLE)) {
        return APIC_MODE_DISABLED;
    }
    return base & MSR_APIC_BASE_EXTD ? APIC_MODE_X2APIC : APIC_MODE_XAPIC;
}

static void set_base(struct lapic *lapic, uint64_t base)
{
    lapic->base = base;
    __atomic_store_n(&lapic->mode, mode_of(base), __ATOMIC_RELAXED);
}

static void set_power_up_state(struct lapic *lapic)
{
    set_base(lapic, LAPIC_DEFAULT_BASE | MSR_APIC_BASE_ENABLE |
                        (lapic->bootstrap ? MSR_APIC_BASE_BSP : 0));
    reset_registers(lapic);
}

static void tell(struct lapic *lapic)
{
    lapic->ops->mode_changed(lapic->context, lapic_mode(lapic), lapic->base & BASE_ADDRESS);
    lapic->ops->changed(lapic->context);
}

void lapic_init(struct lapic *lapic, void *page, uint32_t id, bool bootstrap,
                unsigned physical_bits, bool cpu_delivers, struct timer_queue *timers,
                const struct lapic_ops *ops, void *context)
{
    *lapic = (struct lapic){.page = page,
                            .ops = ops,
                            .context = context,
                            .id = id,
                            .bootstrap = bootstrap,
                            .cpu_delivers = cpu_delivers,
                            .base_reserved = ~((1ull << physical_bits) - 1) | 0x2ff};
    lapic_timer_init(lapic, timers);
    set_power_up_state(lapic);
}

void lapic_reset(struct lapic *lapic)
{
    set_power_up_state(lapic);
    tell(lapic);
}

void lapic_init_signal(struct lapic *lapic)
{
    reset_registers(lapic);
    lapic->ops->changed(lapic->context);
}

void lapic_set_virtual_wire(struct lapic *lapic)
{
    lapic_set(lapic, LAPIC_SVR, SVR_ENABLE | 0xff);
    __atomic_store_n(&lapic->software_enabled, true, __ATOMIC_RELAXED);
    lapic_set(lapic, LAPIC_LVT_LINT0, (uint32_t)DELIVERY_EXTINT << 8);
    lapic_set(lapic, LAPIC_LVT_LINT1, (uint32_t)DELIVERY_NMI << 8);
    lapic->ops->changed(lapic->context);
}

int lapic_base_write(struct lapic *lapic, uint64_t value)
{
    enum virt_apic_mode from = lapic_mode(lapic);
    enum virt_apic_mode to = mode_of(value);
    uint64_t old_address = lapic->base & BASE_ADDRESS;

    if (value & lapic->base_reserved) {
        return -EINVAL;
    }
    /* Figure 11-27: x2APIC is entered from xAPIC only and left to disabled only; EXTD without EN
     * does not exist. */
    if ((to == APIC_MODE_DISABLED && (value & MSR_APIC_BASE_EXTD)) ||
        (from == APIC_MODE_DISABLED && to == APIC_MODE_X2APIC) ||
        (from == APIC_MODE_X2APIC && to == APIC_MODE_XAPIC)) {
        return -EINVAL;
    }
    set_base(lapic, value);
    if (from == to && old_address == (value & BASE_ADDRESS)) {
        return 0;
    }
    if (to == APIC_MODE_X2APIC && from == APIC_MODE_XAPIC) {
        /* The rest of the state is kept (11.12.5.1); ICR is one 64-bit register from now on. */
        set_x2apic_identity(lapic);
        lapic_set(lapic, LAPIC_DFR, 0);
        lapic_set(lapic, LAPIC_ICR_HIGH, 0);
    } else if (from != to) {
        reset_registers(lapic);
    }
    tell(lapic);
    return 0;
}
