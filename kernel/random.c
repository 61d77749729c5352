#include "kernel/random.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/chacha20.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/x86.h"
#include "kernel/log.h"

#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_7_EBX_RDSEED (1u << 18)

#define HARDWARE_WORDS  8u   /* of 64 bits: twice the key's length */
#define HARDWARE_TRIES  100u /* RDSEED runs dry when all CPUs want it */
#define JITTER_SAMPLES  512u
#define JITTER_PER_MIX  8u
#define JITTER_PORT     0x61u /* system control port B: reading it has no effect */
#define RESEED_BYTES    (UINT64_C(1) << 20)
#define KEY_SIZE        (CHACHA20_KEY_WORDS * sizeof(uint32_t))
#define BLOCK_SIZE      (CHACHA20_BLOCK_WORDS * sizeof(uint32_t))
#define OUTPUT_PER_STEP (BLOCK_SIZE - KEY_SIZE)

static struct spinlock lock; /* for everything below; interrupts off */
static uint32_t key[CHACHA20_KEY_WORDS];
static uint64_t left; /* bytes that may be given out before more is mixed in; 0 at first */
static bool seeded;

/* The block's first half becomes the key; the second is what it yields. */
static void step(const uint32_t nonce[static CHACHA20_NONCE_WORDS], uint8_t *output, size_t size)
{
    uint32_t block[CHACHA20_BLOCK_WORDS];

    chacha20_block(key, 0, nonce, block);
    memcpy(key, block, KEY_SIZE);
    if (size) {
        memcpy(output, block + CHACHA20_KEY_WORDS, size);
    }
    for (unsigned i = 0; i < CHACHA20_BLOCK_WORDS; i++) {
        ((volatile uint32_t *)block)[i] = 0; /* volatile, or it would be left out */
    }
}

/* The new key depends on all of the old one and on the value. */
static void mix(uint64_t value)
{
    const uint32_t nonce[CHACHA20_NONCE_WORDS] = {(uint32_t)value, (uint32_t)(value >> 32), 1};

    step(nonce, NULL, 0);
}

static bool read_hardware(bool has_rdseed, bool has_rdrand, uint64_t *value)
{
    for (unsigned i = 0; has_rdseed && i < HARDWARE_TRIES; i++) {
        if (rdseed(value)) {
            return true;
        }
        pause();
    }
    for (unsigned i = 0; has_rdrand && i < HARDWARE_TRIES; i++) {
        if (rdrand(value)) {
            return true;
        }
    }
    return false;
}

/* True if all that was wanted came. */
static bool mix_hardware(void)
{
    bool has_rdrand = (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND) != 0;
    bool has_rdseed = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID_7_EBX_RDSEED) != 0;
    uint64_t value;

    for (unsigned i = 0; i < HARDWARE_WORDS; i++) {
        if (!read_hardware(has_rdseed, has_rdrand, &value)) {
            return false;
        }
        mix(value);
    }
    return true;
}

/* How long a port takes to answer depends on the bus, whose clock is not the CPU's. */
static void mix_jitter(void)
{
    uint64_t samples = 0;

    for (unsigned i = 1; i <= JITTER_SAMPLES; i++) {
        (void)inb(JITTER_PORT);
        samples = (samples << 8 | samples >> 56) ^ rdtsc();
        if (i % JITTER_PER_MIX == 0) {
            mix(samples);
        }
    }
}

/* The lock is held. Returns false if the CPU has no generator. */
static bool seed(void)
{
    bool hardware = mix_hardware();

    if (!seeded || !hardware) {
        mix_jitter();
    }
    mix(rdtsc());
    seeded = true;
    left = RESEED_BYTES;
    return hardware;
}

void random_bytes(void *memory, size_t size)
{
    static const uint32_t nonce[CHACHA20_NONCE_WORDS];
    bool interrupts = interrupts_save();
    uint8_t *to = memory;
    bool first;
    bool hardware = true;

    spin_lock(&lock);
    first = !seeded;
    while (size > 0) {
        size_t part = size < OUTPUT_PER_STEP ? size : OUTPUT_PER_STEP;

        if (left < part) {
            hardware = seed();
        }
        step(nonce, to, part);
        left -= part;
        to += part;
        size -= part;
    }
    spin_unlock(&lock);
    interrupts_restore(interrupts);
    if (first && !hardware) {
        log_warn("random: this CPU has no generator (RDRAND); keys rest on timing alone");
    }
}

uint32_t random_u32(void)
{
    uint32_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

void random_add(uint64_t value)
{
    bool interrupts = interrupts_save();

    spin_lock(&lock);
    mix(value);
    spin_unlock(&lock);
    interrupts_restore(interrupts);
}
