/*
 * The local APIC's heart: requests, priorities and delivery (SDM vol. 3, 11.5, 11.8).
 */
#include "guest/devices/lapic.h"

#include "guest/devices/lapic_registers.h"

static inline unsigned highest_bit(uint32_t bits)
{
    return 31u ^ (unsigned)__builtin_clz(bits);
}

/* Highest vector set in the 256-bit register at `offset`, of which only these words may have bits
 * set; -1 for none. */
static inline int highest(const struct lapic *lapic, unsigned offset, unsigned words)
{
    while (words) {
        unsigned word = highest_bit(words);
        uint32_t bits = lapic_get(lapic, offset + word * 16);

        if (bits) {
            return (int)(word * 32 + highest_bit(bits));
        }
        words &= ~(1u << word);
    }
    return -1;
}

int lapic_in_service(const struct lapic *lapic)
{
    return highest(lapic, LAPIC_ISR, __atomic_load_n(&lapic->isr_words, __ATOMIC_RELAXED));
}

static unsigned vector_offset(uint8_t vector)
{
    return vector / 32u * 16;
}

static uint32_t vector_bit(uint8_t vector)
{
    return 1u << (vector % 32);
}

static bool any_requested(const struct lapic *lapic)
{
    uint64_t any = 0;

#pragma GCC unroll 4
    for (unsigned word = 0; word < 4; word++) {
        any |= __atomic_load_n(&lapic->requested[word], __ATOMIC_RELAXED);
    }
    return any;
}

/* A word of IRR or ISR has lost a bit: whether `words` still has to name it. */
static uint8_t words_without(const struct lapic *lapic, uint8_t words, uint8_t vector,
                             uint32_t left)
{
    if (left || lapic->cpu_delivers) {
        return words;
    }
    return (uint8_t)(words & ~(1u << (vector / 32)));
}

static void set_irr(struct lapic *lapic, unsigned word, uint32_t bits)
{
    unsigned offset = LAPIC_IRR + word * 16;

    lapic_set(lapic, offset, lapic_get(lapic, offset) | bits);
    lapic->irr_words = (uint8_t)(lapic->irr_words | 1u << word);
}

/* Takes over what was requested since the last time. A vector's trigger mode goes to TMR with it,
 * so that its EOI knows whom to tell. */
static __attribute__((noinline)) void merge(struct lapic *lapic)
{
    for (unsigned word = 0; word < 4; word++) {
        if (!__atomic_load_n(&lapic->requested[word], __ATOMIC_RELAXED)) {
            continue;
        }
        uint64_t bits = __atomic_exchange_n(&lapic->requested[word], 0, __ATOMIC_SEQ_CST);
        uint64_t level = __atomic_load_n(&lapic->requested_level[word], __ATOMIC_RELAXED) & bits;

        for (unsigned half = 0; half < 2; half++) {
            unsigned offset = (word * 2 + half) * 16;
            uint32_t half_bits = (uint32_t)(bits >> (half * 32));
            uint32_t half_level = (uint32_t)(level >> (half * 32));

            if (!half_bits) {
                continue;
            }
            lapic_set(lapic, LAPIC_TMR + offset,
                      (lapic_get(lapic, LAPIC_TMR + offset) & ~half_bits) | half_level);
            set_irr(lapic, word * 2 + half, half_bits);
        }
    }
}

static bool lvt_passes_extint(uint32_t lvt)
{
    return !(lvt & LVT_MASKED) && LVT_MODE(lvt) == DELIVERY_EXTINT;
}

/* Whether the 8259 pair's INTR reaches the CPU: through a local pin in ExtINT mode, by a message,
 * or past a local APIC that is disabled, whose pin is then the CPU's own INTR. */
static inline bool extint_pending(const struct lapic *lapic)
{
    if (!(__atomic_load_n(&lapic->lint_level[0], __ATOMIC_RELAXED) |
          __atomic_load_n(&lapic->lint_level[1], __ATOMIC_RELAXED) |
          __atomic_load_n(&lapic->extint, __ATOMIC_RELAXED))) {
        return false;
    }
    if (lapic_mode(lapic) == APIC_MODE_DISABLED) {
        return __atomic_load_n(&lapic->lint_level[0], __ATOMIC_RELAXED);
    }
    for (unsigned pin = 0; pin < 2; pin++) {
        if (__atomic_load_n(&lapic->lint_level[pin], __ATOMIC_RELAXED) &&
            lvt_passes_extint(lapic_get(lapic, LAPIC_LVT_LINT0 + pin * 16))) {
            return true;
        }
    }
    return __atomic_load_n(&lapic->extint, __ATOMIC_RELAXED);
}

void lapic_pending(struct lapic *lapic, struct virt_pending_interrupts *pending)
{
    if (any_requested(lapic)) {
        merge(lapic);
    }
    pending->pic = extint_pending(lapic);
    pending->apic_irr = highest(lapic, LAPIC_IRR, lapic->irr_words);
    pending->apic_isr = highest(lapic, LAPIC_ISR, lapic->isr_words);
    pending->tpr = lapic->page[LAPIC_TPR];
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
    unsigned offset = vector_offset(vector);
    uint32_t bit = vector_bit(vector);
    uint32_t left = lapic_get(lapic, LAPIC_IRR + offset) & ~bit;

    lapic_set(lapic, LAPIC_IRR + offset, left);
    lapic->irr_words = words_without(lapic, lapic->irr_words, vector, left);
    lapic_set(lapic, LAPIC_ISR + offset, lapic_get(lapic, LAPIC_ISR + offset) | bit);
    __atomic_store_n(&lapic->isr_words, (uint8_t)(lapic->isr_words | 1u << (vector / 32)),
                     __ATOMIC_RELAXED);
}

void lapic_accept_extint(struct lapic *lapic)
{
    __atomic_store_n(&lapic->extint, false, __ATOMIC_RELAXED);
}

void lapic_after_hardware_eoi(struct lapic *lapic, uint8_t vector)
{
    if ((lapic_get(lapic, LAPIC_TMR + vector_offset(vector)) & vector_bit(vector)) &&
        !(lapic_get(lapic, LAPIC_SVR) & SVR_SUPPRESS_EOI)) {
        lapic->ops->eoi(lapic->context, vector);
    }
}

void lapic_priority_changed(struct lapic *lapic)
{
    if (lapic->cpu_delivers || lapic->irr_words || any_requested(lapic)) {
        lapic->ops->changed(lapic->context);
    }
}

void lapic_eoi(struct lapic *lapic)
{
    int served = lapic_in_service(lapic);

    if (served < 0) {
        return;
    }
    uint8_t vector = (uint8_t)served;
    unsigned offset = LAPIC_ISR + vector_offset(vector);
    uint32_t left = lapic_get(lapic, offset) & ~vector_bit(vector);

    lapic_set(lapic, offset, left);
    __atomic_store_n(&lapic->isr_words, words_without(lapic, lapic->isr_words, vector, left),
                     __ATOMIC_RELAXED);
    lapic_after_hardware_eoi(lapic, vector);
    lapic_priority_changed(lapic);
}

void lapic_request(struct lapic *lapic, uint8_t vector, bool level)
{
    unsigned word = vector / 64u;
    uint64_t bit = 1ull << (vector % 64);

    /* The trigger mode first: the merge reads it after it has seen the request. */
    if (level) {
        __atomic_fetch_or(&lapic->requested_level[word], bit, __ATOMIC_RELAXED);
    } else if (__atomic_load_n(&lapic->requested_level[word], __ATOMIC_RELAXED) & bit) {
        __atomic_fetch_and(&lapic->requested_level[word], ~bit, __ATOMIC_RELAXED);
    }
    __atomic_fetch_or(&lapic->requested[word], bit, __ATOMIC_SEQ_CST);
    lapic->ops->requested(lapic->context);
}

void lapic_request_own(struct lapic *lapic, uint8_t vector)
{
    unsigned offset = vector_offset(vector);
    uint32_t bit = vector_bit(vector);

    lapic_set(lapic, LAPIC_TMR + offset, lapic_get(lapic, LAPIC_TMR + offset) & ~bit);
    set_irr(lapic, vector / 32, bit);
    lapic->ops->changed(lapic->context);
}

void lapic_error(struct lapic *lapic, uint32_t bits)
{
    uint32_t lvt = lapic_get(lapic, LAPIC_LVT_ERROR);

    if (!(lvt & LVT_MASKED)) {
        if ((lvt & 0xff) < FIRST_LEGAL_VECTOR) {
            bits |= ESR_RECEIVE_ILLEGAL_VECTOR;
        } else {
            lapic_request(lapic, (uint8_t)lvt, false);
        }
    }
    __atomic_fetch_or(&lapic->errors, bits, __ATOMIC_RELAXED);
}

void lapic_receive(struct lapic *lapic, uint8_t delivery_mode, uint8_t vector, bool level)
{
    switch (delivery_mode) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY:
        if (!__atomic_load_n(&lapic->software_enabled, __ATOMIC_RELAXED)) {
            break;
        }
        if (vector < FIRST_LEGAL_VECTOR) {
            lapic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
        } else {
            lapic_request(lapic, vector, level);
        }
        break;
    case DELIVERY_NMI:
        lapic->ops->nmi(lapic->context);
        break;
    case DELIVERY_INIT:
        lapic->ops->init(lapic->context);
        break;
    case DELIVERY_STARTUP:
        lapic->ops->startup(lapic->context, vector);
        break;
    case DELIVERY_EXTINT:
        __atomic_store_n(&lapic->extint, true, __ATOMIC_RELAXED);
        lapic->ops->requested(lapic->context);
        break;
    default: /* SMI: this PC has no system management mode; 3 is reserved */
        break;
    }
}

void lapic_deliver(struct lapic *lapic, const struct interrupt_message *message)
{
    lapic_receive(lapic, message->delivery_mode, message->vector, message->level);
}

void lapic_local_event(struct lapic *lapic, unsigned offset)
{
    uint32_t lvt = lapic_get(lapic, offset);
    uint8_t mode = LVT_MODE(lvt); /* the timer's and error entries have none: always 0, fixed */

    if (lvt & LVT_MASKED || mode == DELIVERY_LOWEST_PRIORITY || mode == DELIVERY_STARTUP) {
        return; /* the latter two are reserved in the LVT */
    }
    lapic_receive(lapic, mode, (uint8_t)lvt, false);
}

void lapic_timer_event(struct lapic *lapic)
{
    uint32_t lvt = lapic_get(lapic, LAPIC_LVT_TIMER);
    uint8_t vector = (uint8_t)lvt;

    if (lvt & LVT_MASKED || !__atomic_load_n(&lapic->software_enabled, __ATOMIC_RELAXED)) {
        return;
    }
    if (vector < FIRST_LEGAL_VECTOR) {
        lapic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
    } else {
        lapic_request_own(lapic, vector);
    }
}

void lapic_set_lint(struct lapic *lapic, unsigned pin, bool level)
{
    if (__atomic_exchange_n(&lapic->lint_level[pin], level, __ATOMIC_SEQ_CST) == level) {
        return;
    }
    if (lapic_mode(lapic) == APIC_MODE_DISABLED) {
        if (pin == 0) {
            lapic->ops->requested(lapic->context);
        } else if (level) {
            lapic->ops->nmi(lapic->context);
        }
        return;
    }
    unsigned offset = LAPIC_LVT_LINT0 + pin * 16;

    if (lvt_passes_extint(lapic_get(lapic, offset))) {
        /* ExtINT follows the level of the pin: a withdrawn request is news too. */
        lapic->ops->requested(lapic->context);
    } else if (level) {
        lapic_local_event(lapic, offset);
    }
}
