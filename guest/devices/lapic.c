/*
 * The local APIC's heart: requests, priorities and delivery (SDM vol. 3, 11.5, 11.8).
 */
#include "guest/devices/lapic.h"

#include "guest/devices/lapic_registers.h"

static inline unsigned highest_bit(uint32_t bits)
{
    return 31u ^ (unsigned)__builtin_clz(bits);
}

/* IRR, ISR and TMR have a bit for each vector, in words 16 bytes apart: the register `offset`'s. */
static inline uint32_t *word_address(const struct lapic *lapic, size_t offset, size_t word)
{
    return (uint32_t *)(void *)(lapic->page + word * 16 + offset);
}

static inline uint32_t load(const uint32_t *address)
{
    return __atomic_load_n(address, __ATOMIC_RELAXED);
}

static inline void store(uint32_t *address, uint32_t value)
{
    __atomic_store_n(address, value, __ATOMIC_RELAXED);
}

#define NO_WORD 8u

/* The highest word that is not 0, of those that may be: its number, with its value in *bits;
 * NO_WORD for none. */
static inline unsigned highest_word(const struct lapic *lapic, size_t offset, unsigned words,
                                    uint32_t *bits)
{
    while (words) {
        unsigned word = highest_bit(words);

        *bits = load(word_address(lapic, offset, word));
        if (__builtin_expect(*bits != 0, 1)) {
            return word;
        }
        words &= ~(1u << word);
    }
    return NO_WORD;
}

/* The highest vector in it, likewise; -1 for none. */
static inline int highest(const struct lapic *lapic, size_t offset, unsigned words)
{
    uint32_t bits;
    unsigned word = highest_word(lapic, offset, words, &bits);

    return word == NO_WORD ? -1 : (int)(word * 32 + highest_bit(bits));
}

int lapic_in_service(const struct lapic *lapic)
{
    return highest(lapic, LAPIC_ISR, __atomic_load_n(&lapic->isr_words, __ATOMIC_RELAXED));
}

static inline uint32_t *vector_address(const struct lapic *lapic, size_t offset, unsigned vector)
{
    return word_address(lapic, offset, vector / 32);
}

static inline uint32_t vector_bit(unsigned vector)
{
    return 1u << (vector % 32);
}

/* Its bit in irr_words and isr_words. */
static inline uint8_t vector_word(unsigned vector)
{
    return (uint8_t)(1u << (vector / 32));
}

static void set_irr(struct lapic *lapic, unsigned word, uint32_t bits)
{
    unsigned offset = LAPIC_IRR + word * 16;

    lapic_set(lapic, offset, lapic_get(lapic, offset) | bits);
    lapic->irr_words = (uint8_t)(lapic->irr_words | 1u << word);
}

/* Takes over what was requested since the last time. A vector's trigger mode goes to TMR with it,
 * so that its EOI knows whom to tell. */
static void merge(struct lapic *lapic)
{
    /* First: who requests something sets it last. */
    (void)__atomic_exchange_n(&lapic->requested_some, false, __ATOMIC_SEQ_CST);
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
static bool extint_pending(const struct lapic *lapic)
{
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

static inline void find_pending(const struct lapic *lapic, bool pic,
                                struct virt_pending_interrupts *pending)
{
    pending->pic = pic;
    pending->apic_irr = highest(lapic, LAPIC_IRR, lapic->irr_words);
    pending->apic_isr = -1; /* as a rule: in this order it takes no jump */
    if (lapic->isr_words) {
        pending->apic_isr = highest(lapic, LAPIC_ISR, lapic->isr_words);
    }
    pending->tpr = lapic->page[LAPIC_TPR];
}

/* Out of line, so that the usual case saves and restores no registers for its sake. */
static __attribute__((noinline)) void find_pending_with_news(
    struct lapic *lapic, struct virt_pending_interrupts *pending)
{
    if (__atomic_load_n(&lapic->requested_some, __ATOMIC_RELAXED)) {
        merge(lapic);
    }
    find_pending(lapic, extint_pending(lapic), pending);
}

void lapic_pending(struct lapic *lapic, struct virt_pending_interrupts *pending)
{
    if (load(&lapic->news)) {
        find_pending_with_news(lapic, pending);
    } else {
        find_pending(lapic, false, pending);
    }
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
    uint32_t *irr = vector_address(lapic, LAPIC_IRR, vector);
    uint32_t *isr = vector_address(lapic, LAPIC_ISR, vector);
    uint32_t left = load(irr) & ~vector_bit(vector);

    store(irr, left);
    store(isr, load(isr) | vector_bit(vector));
    if (left == 0 && !lapic->cpu_delivers) {
        lapic->irr_words &= (uint8_t)~vector_word(vector);
    }
    __atomic_store_n(&lapic->isr_words, lapic->isr_words | vector_word(vector), __ATOMIC_RELAXED);
}

void lapic_accept_extint(struct lapic *lapic)
{
    __atomic_store_n(&lapic->extint, false, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void broadcast_eoi(struct lapic *lapic, uint8_t vector)
{
    if (!(lapic_get(lapic, LAPIC_SVR) & SVR_SUPPRESS_EOI)) {
        lapic->ops->eoi(lapic->context, vector);
    }
}

void lapic_after_hardware_eoi(struct lapic *lapic, uint8_t vector)
{
    if (load(vector_address(lapic, LAPIC_TMR, vector)) & vector_bit(vector)) {
        broadcast_eoi(lapic, vector);
    }
}

void lapic_priority_changed(struct lapic *lapic)
{
    if (lapic->cpu_delivers || lapic->irr_words ||
        __atomic_load_n(&lapic->requested_some, __ATOMIC_RELAXED)) {
        lapic->ops->changed(lapic->context);
    }
}

void lapic_eoi(struct lapic *lapic)
{
    uint32_t in_service;
    unsigned word = highest_word(lapic, LAPIC_ISR, lapic->isr_words, &in_service);

    if (word == NO_WORD) {
        return;
    }
    unsigned bit = highest_bit(in_service);
    uint32_t left = in_service & ~(1u << bit);

    store(word_address(lapic, LAPIC_ISR, word), left);
    if (left == 0 && !lapic->cpu_delivers) {
        __atomic_store_n(&lapic->isr_words, lapic->isr_words & (uint8_t) ~(1u << word),
                         __ATOMIC_RELAXED);
    }
    if (__builtin_expect(load(word_address(lapic, LAPIC_TMR, word)) >> bit & 1, 0)) {
        broadcast_eoi(lapic, (uint8_t)(word * 32 + bit));
    }
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
    __atomic_store_n(&lapic->requested_some, true, __ATOMIC_SEQ_CST);
    lapic->ops->requested(lapic->context);
}

/* Of its own CPU's, edge-triggered: needs no merge. */
static void request_own(struct lapic *lapic, uint8_t vector)
{
    uint32_t *tmr = vector_address(lapic, LAPIC_TMR, vector);
    uint32_t *irr = vector_address(lapic, LAPIC_IRR, vector);

    store(tmr, load(tmr) & ~vector_bit(vector));
    store(irr, load(irr) | vector_bit(vector));
    lapic->irr_words |= vector_word(vector);
    lapic->ops->changed(lapic->context);
}

void lapic_send_self_ipi(struct lapic *lapic, uint8_t vector)
{
    if (vector < FIRST_LEGAL_VECTOR) {
        lapic_error(lapic, ESR_SEND_ILLEGAL_VECTOR);
    } else if (lapic->software_enabled) {
        request_own(lapic, vector);
    }
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

/* Whether an interrupt that comes is one to request; an illegal vector is an error. */
static inline bool takes_vector(struct lapic *lapic, uint8_t vector)
{
    if (!__atomic_load_n(&lapic->software_enabled, __ATOMIC_RELAXED)) {
        return false;
    }
    if (vector < FIRST_LEGAL_VECTOR) {
        lapic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
        return false;
    }
    return true;
}

void lapic_receive(struct lapic *lapic, uint8_t delivery_mode, uint8_t vector, bool level)
{
    switch (delivery_mode) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY:
        if (takes_vector(lapic, vector)) {
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

    if (!(lvt & LVT_MASKED) && takes_vector(lapic, vector)) {
        request_own(lapic, vector);
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
