/*
 * The local APIC of one vCPU: xAPIC and x2APIC (SDM vol. 3, chapter 11).
 *
 * Its registers live in a 4 KiB page in the SDM's layout (table 11-1), because a CPU that
 * virtualises the APIC works on the same page. A request (a vector to deliver) may come from any
 * CPU: it goes into an atomic bitmap, which the vCPU's own CPU merges into IRR. Functions may be
 * called only by the CPU that runs the vCPU, except those marked "any CPU".
 */
#ifndef GUEST_DEVICES_LAPIC_H
#define GUEST_DEVICES_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/devices/interrupt_message.h"
#include "guest/timer.h"
#include "virt/vcpu.h"

#define LAPIC_DEFAULT_BASE 0xfee00000u
#define LAPIC_PAGE_SIZE    4096u

/* The timer counts this clock, divided (CPUID.15H:ECX must say the same). */
#define LAPIC_TIMER_HZ 25000000u

#define MSR_APIC_BASE_BSP    (1ull << 8)
#define MSR_APIC_BASE_EXTD   (1ull << 10)
#define MSR_APIC_BASE_ENABLE (1ull << 11)

#define LAPIC_MSR_BASE         0x1bu
#define LAPIC_MSR_TSC_DEADLINE 0x6e0u
#define LAPIC_MSR_FIRST        0x800u /* of x2APIC mode */
#define LAPIC_MSR_LAST         0x8ffu

struct lapic_ops {
    /* The outcome of the injection decision may have changed. Own CPU. */
    void (*changed)(void *context);
    /* A request waits to be merged: set what `changed` sets and bring the vCPU out of the guest or
     * out of HLT. Any CPU. */
    void (*requested)(void *context);
    /* The timer's next expiry is another one. Own CPU. */
    void (*timer_armed)(void *context);
    /* Events that bypass IRR. Any CPU. */
    void (*nmi)(void *context);
    void (*init)(void *context);
    void (*startup)(void *context, uint8_t vector);
    /* An IPI that this local APIC sends: to the APIC bus. Own CPU. */
    void (*send)(void *context, const struct interrupt_message *message);
    /* End of a level-triggered interrupt, to be told to every I/O APIC. Own CPU. */
    void (*eoi)(void *context, uint8_t vector);
    /* IA32_APIC_BASE changed the mode or moved the registers. Own CPU. */
    void (*mode_changed)(void *context, enum virt_apic_mode mode, uint64_t base);
    /* The VM clock's time, rounded up, at which the guest's TSC reaches a value; 0 if it has. */
    uint64_t (*deadline_from_tsc)(void *context, uint64_t guest_tsc);
};

struct lapic_timer {
    struct timer timer;
    uint64_t deadline;     /* of the running count, when running */
    uint64_t tsc_deadline; /* 0: none */
    uint32_t divide;       /* 1 to 128 */
    uint32_t mode;         /* LVT bits 18:17 */
    uint32_t initial_count;
    bool running; /* one-shot or periodic count under way */
};

struct lapic {
    uint8_t *page;
    const struct lapic_ops *ops;
    void *context;
    /* Any CPU, atomically: what was requested since the last merge, and its trigger mode. */
    uint64_t requested[4];
    uint64_t requested_level[4];
    uint32_t errors; /* ESR bits not yet latched; any CPU, atomically */
    uint32_t id;
    uint64_t base;          /* IA32_APIC_BASE */
    uint64_t base_reserved; /* bits of it that must be 0 */
    bool bootstrap;
    bool cpu_delivers; /* see lapic_init */
    uint32_t mode;     /* enum virt_apic_mode; read by any CPU, atomically */
    /* Which words of IRR and ISR may have bits set; all, where the CPU changes them by itself. */
    uint8_t irr_words;
    uint8_t isr_words; /* read by any CPU, atomically */
    bool software_enabled;
    /* Any CPU, atomically. Of frequent exits none has any of these: one look tells. */
    union {
        uint32_t news;
        struct {
            bool requested_some; /* `requested` is to be looked at */
            bool extint;         /* an ExtINT message came */
            bool lint_level[2];  /* the two local interrupt pins */
        };
    };
    struct lapic_timer timer;
};

/**
 * Sets up in the RESET state. `page`: 4 KiB, page-aligned, cleared here. `id`: initial APIC ID, in
 * xAPIC mode its low 8 bits are seen. `bootstrap`: the VM's first CPU. `physical_bits`: the guest's
 * MAXPHYADDR, 36 to 52. `cpu_delivers`: the CPU delivers what is in IRR by itself, and keeps note
 * of what is in service: it hears of every EOI and of every TPR by `changed`. `timers`: the queue
 * run by this vCPU's CPU.
 */
void lapic_init(struct lapic *lapic, void *page, uint32_t id, bool bootstrap,
                unsigned physical_bits, bool cpu_delivers, struct timer_queue *timers,
                const struct lapic_ops *ops, void *context);
/** RESET: all but the ID back to the power-up state (SDM vol. 3, 11.4.7.1). */
void lapic_reset(struct lapic *lapic);
/** INIT: likewise, but IA32_APIC_BASE and so the mode stay (11.4.7.3, 11.12.5.1). */
void lapic_init_signal(struct lapic *lapic);
/** What firmware leaves to an OS on the bootstrap CPU: virtual wire mode, i.e. software-enabled
 * with LINT0 ExtINT and LINT1 NMI. For guests that are started without firmware. */
void lapic_set_virtual_wire(struct lapic *lapic);

/* mmio_read_fn and mmio_write_fn over the register page; `lapic` is a struct lapic. */
uint64_t lapic_mmio_read(void *lapic, uint64_t offset, unsigned size);
void lapic_mmio_write(void *lapic, uint64_t offset, unsigned size, uint64_t value);
/** Whether an MSR is the local APIC's. */
static inline bool lapic_has_msr(uint32_t index)
{
    switch (index) {
    case LAPIC_MSR_FIRST ... LAPIC_MSR_LAST:
    case LAPIC_MSR_BASE:
    case LAPIC_MSR_TSC_DEADLINE:
        return true;
    default:
        return false;
    }
}
/** RDMSR and WRMSR of one of x2APIC mode's. 0, or -EINVAL: the guest gets #GP(0). */
int lapic_x2apic_read(struct lapic *lapic, uint32_t index, uint64_t *value);
int lapic_x2apic_write(struct lapic *lapic, uint32_t index, uint64_t value);
/** IA32_APIC_BASE (0x1b). */
static inline uint64_t lapic_base_read(const struct lapic *lapic)
{
    return lapic->base;
}
/** 0, or -EINVAL (#GP): reserved bits or a transition that SDM vol. 3, 11.12.5 forbids. */
int lapic_base_write(struct lapic *lapic, uint64_t value);
/** IA32_TSC_DEADLINE (0x6e0). */
static inline uint64_t lapic_tsc_deadline_read(const struct lapic *lapic)
{
    return lapic->timer.tsc_deadline;
}
void lapic_tsc_deadline_write(struct lapic *lapic, uint64_t value);
/** RDMSR and WRMSR of any MSR of the local APIC's; likewise. */
static inline int lapic_msr_read(struct lapic *lapic, uint32_t index, uint64_t *value)
{
    switch (index) {
    case LAPIC_MSR_BASE:
        *value = lapic_base_read(lapic);
        return 0;
    case LAPIC_MSR_TSC_DEADLINE:
        *value = lapic_tsc_deadline_read(lapic);
        return 0;
    default:
        return lapic_x2apic_read(lapic, index, value);
    }
}
static inline int lapic_msr_write(struct lapic *lapic, uint32_t index, uint64_t value)
{
    switch (index) {
    case LAPIC_MSR_BASE:
        return lapic_base_write(lapic, value);
    case LAPIC_MSR_TSC_DEADLINE:
        lapic_tsc_deadline_write(lapic, value);
        return 0;
    default:
        return lapic_x2apic_write(lapic, index, value);
    }
}
/** The guest's TSC jumped (its offset changed): re-arms a TSC deadline. */
void lapic_tsc_changed(struct lapic *lapic);
/** CR8 holds bits 7:4 of the task priority. */
static inline uint64_t lapic_cr8_read(const struct lapic *lapic)
{
    return (uint64_t)lapic->page[0x80] >> 4;
}
/** 0, or -EINVAL (#GP) for more than 15. */
int lapic_cr8_write(struct lapic *lapic, uint64_t value);

/** What waits: merges requests into IRR, then fills all of `pending`. */
void lapic_pending(struct lapic *lapic, struct virt_pending_interrupts *pending);
/** `vector` is being injected: from IRR to ISR. */
void lapic_accept(struct lapic *lapic, uint8_t vector);
/** An interrupt-acknowledge cycle went to the 8259 pair: an ExtINT message is used up. */
void lapic_accept_extint(struct lapic *lapic);
/** The guest's EOI: ends the highest vector in service. */
void lapic_eoi(struct lapic *lapic);
/** The CPU has virtualised the EOI of `vector` and its ISR bit is clear already. */
void lapic_after_hardware_eoi(struct lapic *lapic, uint8_t vector);
/** The CPU has stored a guest's write in the page at `offset`: does what the write asks for. */
void lapic_after_hardware_write(struct lapic *lapic, uint16_t offset);

/** A message that was found to be for this local APIC. Any CPU. */
void lapic_deliver(struct lapic *lapic, const struct interrupt_message *message);
/** Level of local interrupt pin 0 (wired to the 8259 pair's INTR) or 1 (NMI). Any CPU. */
void lapic_set_lint(struct lapic *lapic, unsigned pin, bool level);
/** Whether a message's destination (no shorthand) includes this local APIC. Any CPU. */
bool lapic_matches(const struct lapic *lapic, uint32_t destination, bool logical);
/** Arbitration priority, for lowest-priority delivery (the lowest takes it); -1 when the local APIC
 * takes no interrupts. Any CPU. */
int lapic_arbitration_priority(const struct lapic *lapic);
static inline enum virt_apic_mode lapic_mode(const struct lapic *lapic)
{
    return (enum virt_apic_mode)__atomic_load_n(&lapic->mode, __ATOMIC_RELAXED);
}

#endif
