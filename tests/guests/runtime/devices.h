/*
 * Interrupt controllers and time for the test guests.
 */
#ifndef TESTS_GUESTS_RUNTIME_DEVICES_H
#define TESTS_GUESTS_RUNTIME_DEVICES_H

#include "tests/guests/runtime/runtime.h"

#define LAPIC_ADDRESS  UINT64_C(0xfee00000)
#define IOAPIC_ADDRESS UINT64_C(0xfec00000)

/* Registers of the local APIC by their offset in its page (SDM vol. 3, table 11-1). */
#define LAPIC_ID            0x20u
#define LAPIC_VERSION       0x30u
#define LAPIC_TPR           0x80u
#define LAPIC_PPR           0xa0u
#define LAPIC_EOI           0xb0u
#define LAPIC_LDR           0xd0u
#define LAPIC_DFR           0xe0u
#define LAPIC_SVR           0xf0u
#define LAPIC_ISR           0x100u
#define LAPIC_TMR           0x180u
#define LAPIC_IRR           0x200u
#define LAPIC_ESR           0x280u
#define LAPIC_ICR_LOW       0x300u
#define LAPIC_ICR_HIGH      0x310u
#define LAPIC_LVT_TIMER     0x320u
#define LAPIC_LVT_LINT0     0x350u
#define LAPIC_LVT_LINT1     0x360u
#define LAPIC_LVT_ERROR     0x370u
#define LAPIC_INITIAL_COUNT 0x380u
#define LAPIC_CURRENT_COUNT 0x390u
#define LAPIC_DIVIDE        0x3e0u

#define LAPIC_ENABLED      (1u << 8) /* in SVR */
#define LVT_MASKED         (1u << 16)
#define LVT_TIMER_PERIODIC (1u << 17)
#define LVT_TIMER_DEADLINE (2u << 17)
#define ICR_SELF           (1u << 18)
#define ICR_ASSERT         (1u << 14)
#define ICR_NMI            (4u << 8)
#define DELIVERY_EXTINT    (7u << 8)
#define SPURIOUS_VECTOR    0xffu

/* Which way the local APIC is reached now. */
extern bool lapic_x2apic;
uint32_t lapic_read(unsigned offset);
void lapic_write(unsigned offset, uint32_t value);
/** Enables it, in the mode that it is in, with all sources masked. */
void lapic_init(void);
/** From xAPIC to x2APIC mode, if it is not there yet. There is no direct way back. */
void lapic_enable_x2apic(void);
void lapic_self_ipi(unsigned vector);
void lapic_self_nmi(void);
/** Is the vector's bit set in the 256-bit register that starts at `offset`? */
bool lapic_vector_bit(unsigned offset, unsigned vector);

uint32_t ioapic_read(unsigned index);
void ioapic_write(unsigned index, uint32_t value);
/** Sets a redirection entry; the mask bit is part of `low`. */
void ioapic_route(unsigned pin, uint32_t low, uint32_t destination);

#define PIC_VECTOR 0x20u /* IRQ 0 after pic_init() */
/** Both 8259s, all lines masked, IRQ n at PIC_VECTOR + n. */
void pic_init(void);
void pic_mask(uint16_t mask);

/** To the local APIC, or the PIC for its vectors; how count_interrupt() ends. */
void end_of_interrupt(unsigned vector);

#define PIT_HZ 1193182u
/** Channel 0 with this mode (0-5) and count. */
void pit_start(unsigned mode, uint16_t count);

/* Ticks of the TSC in a millisecond, measured with the 8254. */
extern uint64_t tsc_per_ms;
void time_init(void);

/* Waits until the condition holds, for some milliseconds at most; interrupts stay as they are. */
#define WAIT_FOR(condition, milliseconds)                                  \
    do {                                                                   \
        uint64_t wait_end = rdtsc() + (uint64_t)(milliseconds)*tsc_per_ms; \
        while (!(condition) && rdtsc() < wait_end) {                       \
            cpu_pause();                                                   \
        }                                                                  \
    } while (0)
/* As WAIT_FOR, with interrupts on in between; off afterwards. */
#define WAIT_WITH_INTERRUPTS(condition, milliseconds) \
    do {                                              \
        interrupts_on();                              \
        WAIT_FOR(condition, milliseconds);            \
        interrupts_off();                             \
    } while (0)

#endif
