/* First touches of memory, which a hypervisor may have to find first, and page faults. */
#include "tests/bench/bench.h"

#define PAGE  UINT64_C(0x1000)
#define BLOCK UINT64_C(0x200000)

/* The first GiB is mapped 1:1 with pages of 2 MiB; UNTOUCHED lies in one of them. */
#define PAGE_PRESENT  UINT64_C(1)
#define PAGE_WRITABLE UINT64_C(2)

extern uint64_t page_directories[];

static uint64_t small_pages[512] __attribute__((aligned(4096)));
static volatile uint64_t *const faulting_entry = &small_pages[0];

static void touch(uint64_t address)
{
    *(volatile uint8_t *)(uintptr_t)address = 1;
}

TEST(first_touch)
{
    struct ticks blocks = NO_TICKS;
    struct ticks pages = NO_TICKS;

    for (uint64_t block = UNTOUCHED; block < UNTOUCHED_MIDDLE; block += BLOCK) {
        uint64_t start = rdtsc();

        touch(block);
        add_round(&blocks, rdtsc() - start);
    }
    report("page_touch_2m", &blocks);
    /* All the small pages of a region, however many a hypervisor finds at once. */
    uint64_t start = rdtsc();
    for (uint64_t page = UNTOUCHED_MIDDLE; page < UNTOUCHED_END; page += PAGE) {
        touch(page);
    }
    add_round(&pages, (rdtsc() - start) / ((UNTOUCHED_END - UNTOUCHED_MIDDLE) / PAGE));
    report_plain("page_touch_4k", &pages);
}

__attribute__((interrupt)) static void make_present(void *frame, uint64_t error_code)
{
    (void)frame;
    (void)error_code;
    *faulting_entry |= PAGE_PRESENT;
}

static void take_away(void)
{
    *faulting_entry &= ~PAGE_PRESENT;
    invlpg(UNTOUCHED);
}

/* The guest's own page fault: no hypervisor's business. */
TEST(page_fault)
{
    uint64_t *large = &page_directories[UNTOUCHED / BLOCK];
    uint64_t large_entry = *large;
    struct ticks ticks = NO_TICKS;

    for (unsigned i = 0; i < 512; i++) {
        small_pages[i] = (UNTOUCHED + i * PAGE) | PAGE_PRESENT | PAGE_WRITABLE;
    }
    *large = (uint64_t)(uintptr_t)small_pages | PAGE_PRESENT | PAGE_WRITABLE;
    write_cr3(read_cr3());
    install_gate(EXCEPTION_PF, (uint64_t)(uintptr_t)make_present);
    for (unsigned i = 0; i < ROUNDS; i++) {
        take_away();
        uint64_t start = rdtsc();
        touch(UNTOUCHED);
        add_round(&ticks, rdtsc() - start);
    }
    report("page_fault", &ticks);
    *large = large_entry;
    write_cr3(read_cr3());
}
