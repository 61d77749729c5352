/*
 * The CPU's older modes: protected mode with and without paging, real mode.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

/* memory_modes.S */
void call_protected(void (*code)(void));
void protected_code(void);
void paging_code(void);
void wrapping_code(void);
void real_mode_code(void);
extern volatile uint32_t mode_results[16];
extern uint32_t mode_paging_cr3;
extern uint32_t mode_paging_cr4;
extern uint32_t mode_cr0_changes;
extern uint32_t mode_test_address;
extern const uint8_t real_mode_start[];
extern const uint8_t real_mode_end[];
extern const uint8_t real_results[];
extern const uint8_t real_handler[];
extern const uint8_t real_timer[];
extern const uint8_t real_fault[];

#define P  1u
#define W  2u
#define PS 0x80u

#define TEST_ADDRESS 0x60000000u

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint64_t directories[4][512] __attribute__((aligned(4096)));
static uint64_t pointers[4] __attribute__((aligned(32)));
static union {
    uint32_t narrow[1024];
    uint64_t wide[512];
} table __attribute__((aligned(4096)));
static volatile uint32_t pages[2][1024] __attribute__((aligned(4096)));

static uint32_t phys(const volatile void *object)
{
    return (uint32_t)(uintptr_t)object;
}

static void run_protected(void (*code)(void))
{
    for (unsigned i = 0; i < 16; i++) {
        mode_results[i] = 0;
    }
    call_protected(code);
    load_descriptor_tables();
}

TEST(protected_mode)
{
    uint64_t efer = rdmsr(MSR_EFER);

    *(volatile uint8_t *)0x7000 = 0x5a;
    run_protected(protected_code);
    CHECK_EQUAL(mode_results[0], ioapic_read(1));
    CHECK_EQUAL(mode_results[1], lapic_read(LAPIC_VERSION));
    CHECK_EQUAL(mode_results[2], cpuid(0, 0).ebx);
    CHECK_EQUAL(mode_results[3], efer & ~(EFER_LMA | EFER_LME));
    CHECK_EQUAL(mode_results[4], 0x5a);
    CHECK_EQUAL(rdmsr(MSR_EFER), efer);
}

/* What paging_code found, given that the test address's pages are: a page, none, a page that
 * cannot be written, the I/O APIC. */
static void check_paging(void)
{
    pages[0][0] = 0x13572468;
    pages[0][1] = 0;
    pages[1][0] = 5;
    ioapic_read(1);
    run_protected(paging_code);
    CHECK_EQUAL(mode_results[0], 0x13572468);
    CHECK_EQUAL(pages[0][1], 0xabcd1234);
    CHECK_EQUAL(mode_results[1], 2);
    CHECK_EQUAL(mode_results[7], 0);
    CHECK_EQUAL(mode_results[8], TEST_ADDRESS + 0x1000);
    CHECK_EQUAL(mode_results[9], PF_PRESENT | PF_WRITE);
    CHECK_EQUAL(mode_results[10], TEST_ADDRESS + 0x2000);
    CHECK_EQUAL(pages[1][0], 5);
    CHECK_EQUAL(mode_results[6], ioapic_read(1));
}

TEST(paging_32_bit)
{
    for (unsigned i = 0; i < 1024; i++) {
        directory[i] = i << 22 | PS | W | P;
    }
    directory[TEST_ADDRESS >> 22] = phys(&table) | W | P;
    table.narrow[0] = phys(pages[0]) | W | P;
    table.narrow[1] = 0;
    table.narrow[2] = phys(pages[1]) | P;
    table.narrow[3] = (uint32_t)IOAPIC_ADDRESS | W | P;
    mode_paging_cr3 = phys(directory);
    mode_paging_cr4 = CR4_PSE;
    mode_test_address = TEST_ADDRESS;
    check_paging();
    CHECK_EQUAL(((volatile uint32_t *)table.narrow)[0] & 0x60, 0x60); /* accessed, dirty */
    CHECK_EQUAL(((volatile uint32_t *)table.narrow)[2] & 0x60, 0);
}

/* An instruction that exits is the last of the address space: the next one is the first. */
TEST(wrap_at_4g)
{
    static volatile uint32_t top_table[1024] __attribute__((aligned(4096)));
    volatile uint8_t *last = (volatile uint8_t *)pages[0];
    volatile uint8_t *first = (volatile uint8_t *)pages[1];

    for (unsigned i = 0; i < 1024; i++) {
        directory[i] = i << 22 | PS | W | P;
        table.narrow[i] = i << 12 | W | P;
    }
    directory[0] = phys(&table) | W | P;
    directory[1023] = phys(top_table) | W | P;
    table.narrow[0] = phys(first) | W | P;
    top_table[1023] = phys(last) | W | P;
    last[4094] = 0x0f; /* cpuid */
    last[4095] = 0xa2;
    first[0] = 0xc3; /* ret */
    mode_paging_cr3 = phys(directory);
    mode_paging_cr4 = CR4_PSE;
    run_protected(wrapping_code);
    CHECK_EQUAL(mode_results[0], cpuid(0, 0).ebx);
}

TEST(paging_pae)
{
    for (unsigned i = 0; i < 4; i++) {
        pointers[i] = phys(directories[i]) | P;
        for (unsigned j = 0; j < 512; j++) {
            directories[i][j] = (uint64_t)i << 30 | (uint64_t)j << 21 | PS | W | P;
        }
    }
    directories[TEST_ADDRESS >> 30][TEST_ADDRESS >> 21 & 511] = phys(&table) | W | P;
    for (unsigned i = 0; i < 512; i++) {
        table.wide[i] = 0;
    }
    table.wide[0] = phys(pages[0]) | W | P;
    table.wide[2] = phys(pages[1]) | P;
    table.wide[3] = IOAPIC_ADDRESS | W | P;
    mode_paging_cr3 = phys(pointers);
    mode_paging_cr4 = CR4_PAE;
    mode_test_address = TEST_ADDRESS;
    check_paging();
}

/* In the image, far from all else: only the loader has touched it. */
static const uint64_t far_pointers[4] __attribute__((aligned(32), section(".far"))) = {
    (uint64_t)directories[0] + P, (uint64_t)directories[1] + P, (uint64_t)directories[2] + P,
    (uint64_t)directories[3] + P};

/* A host that has a hand in writes of CR0 (for NE) finds the pointers too. Directories: as in
 * paging_pae. */
TEST(paging_pae_with_untouched_pointers)
{
    mode_paging_cr3 = phys(far_pointers);
    mode_cr0_changes = (uint32_t)CR0_NE;
    check_paging();
    mode_cr0_changes = 0;
}

static void set_vector(unsigned vector, const uint8_t *handler)
{
    *(volatile uint32_t *)(uintptr_t)(4 * vector) =
        (uint32_t)(LOW_CODE >> 4) << 16 | (uint32_t)(handler - real_mode_start);
}

TEST(real_mode)
{
    volatile uint8_t *low = (volatile uint8_t *)LOW_CODE;
    volatile uint32_t *results = (volatile uint32_t *)(LOW_CODE + (real_results - real_mode_start));

    for (long i = 0; i < real_mode_end - real_mode_start; i++) {
        low[i] = real_mode_start[i];
    }
    set_vector(0x60, real_handler);
    set_vector(PIC_VECTOR, real_timer);
    set_vector(EXCEPTION_GP, real_fault);
    lapic_write(LAPIC_LVT_LINT0, DELIVERY_EXTINT);
    pic_mask(0xfffe);
    pit_start(0, 5000);
    run_protected(real_mode_code);
    pic_mask(0xffff);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    CHECK_EQUAL(results[0], 0x4242);
    CHECK_EQUAL(results[1], ioapic_read(1));
    CHECK_EQUAL(results[2], cpuid(0, 0).ebx);
    CHECK_EQUAL(results[3], 0x22221111);
    CHECK_EQUAL(results[4], 0x22221111);
    CHECK_EQUAL(results[5], 1);
    CHECK_EQUAL(results[6], 1);
}

/* Each way of the switches again: nothing may be left over from the last time. */
TEST(back_and_forth)
{
    for (unsigned i = 0; i < 10; i++) {
        run_protected(protected_code);
        CHECK_EQUAL(mode_results[2], cpuid(0, 0).ebx);
        run_protected(paging_code);
        CHECK_EQUAL(mode_results[0], 0x13572468);
    }
}
