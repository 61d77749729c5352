/*
 * The local APIC's registers (SDM vol. 3, tables 11-1 and 11-6) and what its parts share. Private
 * to the lapic*.c files.
 */
#ifndef GUEST_DEVICES_LAPIC_REGISTERS_H
#define GUEST_DEVICES_LAPIC_REGISTERS_H

#include "guest/devices/lapic.h"

/* Offsets in the page; MSR 0x800 + offset / 16. */
enum lapic_offset {
    LAPIC_ID = 0x020,
    LAPIC_VERSION = 0x030,
    LAPIC_TPR = 0x080,
    LAPIC_APR = 0x090,
    LAPIC_PPR = 0x0a0,
    LAPIC_EOI = 0x0b0,
    LAPIC_RRD = 0x0c0,
    LAPIC_LDR = 0x0d0,
    LAPIC_DFR = 0x0e0,
    LAPIC_SVR = 0x0f0,
    LAPIC_ISR = 0x100, /* 8 registers each */
    LAPIC_TMR = 0x180,
    LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280,
    LAPIC_ICR = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330,
    LAPIC_LVT_PERFORMANCE = 0x340,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_INITIAL_COUNT = 0x380,
    LAPIC_CURRENT_COUNT = 0x390,
    LAPIC_DIVIDE = 0x3e0,
    LAPIC_SELF_IPI = 0x3f0,
};

/* Version 0x14, six LVT entries, EOI broadcast can be suppressed. */
#define LAPIC_VERSION_VALUE 0x01050014u

#define SVR_ENABLE       (1u << 8)
#define SVR_FOCUS        (1u << 9)
#define SVR_SUPPRESS_EOI (1u << 12)

#define LVT_MASKED          (1u << 16)
#define LVT_MODE(lvt)       ((uint8_t)(((lvt) >> 8) & 7))
#define LVT_TIMER_MODE(lvt) (((lvt) >> 17) & 3)
#define TIMER_MODE_ONE_SHOT 0u
#define TIMER_MODE_PERIODIC 1u
#define TIMER_MODE_DEADLINE 2u

#define ESR_SEND_ILLEGAL_VECTOR      (1u << 5)
#define ESR_RECEIVE_ILLEGAL_VECTOR   (1u << 6)
#define ESR_ILLEGAL_REGISTER_ADDRESS (1u << 7)

#define FIRST_LEGAL_VECTOR 16u

static inline uint32_t *lapic_register_address(const struct lapic *lapic, unsigned offset)
{
    return (uint32_t *)(void *)(lapic->page + offset);
}

/* Other CPUs look at some registers (destination match, LVT), hence the atomic accesses. */
static inline uint32_t lapic_get(const struct lapic *lapic, unsigned offset)
{
    return __atomic_load_n(lapic_register_address(lapic, offset), __ATOMIC_RELAXED);
}

static inline void lapic_set(struct lapic *lapic, unsigned offset, uint32_t value)
{
    __atomic_store_n(lapic_register_address(lapic, offset), value, __ATOMIC_RELAXED);
}

/** Highest vector in service, -1 for none. Any CPU. */
int lapic_in_service(const struct lapic *lapic);
/** The processor priority may have changed: that is news if something waits. */
void lapic_priority_changed(struct lapic *lapic);
/** Makes `vector` (16 or more) wait for the next merge. Any CPU. */
void lapic_request(struct lapic *lapic, uint8_t vector, bool level);
/** Takes what a message or an LVT entry brings. Any CPU. */
void lapic_receive(struct lapic *lapic, uint8_t delivery_mode, uint8_t vector, bool level);
/** Records ESR bits and raises the error interrupt. Any CPU. */
void lapic_error(struct lapic *lapic, uint32_t bits);
/** An event on the LVT entry at `offset`: error, a rising local pin. Any CPU. */
void lapic_local_event(struct lapic *lapic, unsigned offset);
/** The timer has expired. By the own CPU. */
void lapic_timer_event(struct lapic *lapic);
/** ICR write: sends an IPI. `destination` as in interrupt_message. */
void lapic_send_ipi(struct lapic *lapic, uint32_t icr, uint32_t destination);
/** An IPI to itself, of fixed delivery mode. */
void lapic_send_self_ipi(struct lapic *lapic, uint8_t vector);

void lapic_timer_init(struct lapic *lapic, struct timer_queue *timers);
void lapic_timer_reset(struct lapic *lapic);
/** The LVT's mode bits (TIMER_MODE_*) were written. */
void lapic_timer_set_mode(struct lapic *lapic, uint32_t mode);
void lapic_timer_set_initial_count(struct lapic *lapic, uint32_t count);
/** Value of the divide configuration register: bits 3, 1, 0. */
void lapic_timer_set_divide(struct lapic *lapic, uint32_t configuration);
uint32_t lapic_timer_current_count(const struct lapic *lapic);

#endif
