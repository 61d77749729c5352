/*
 * INS and OUTS with all that goes with them. The UART's scratch register keeps the last byte
 * written, so that a transfer shows.
 */
#include "tests/guests/runtime/traps.h"

#define SCRATCH   0x3ffu
#define EMPTY     0x1234u
#define TEST_PAGE UINT64_C(0x4000000000)

extern volatile uint64_t page_pdpt[];

static volatile uint8_t buffer[3 * 4096] __attribute__((aligned(4096)));
static volatile uint64_t directory[512] __attribute__((aligned(4096)));
static volatile uint64_t table[512] __attribute__((aligned(4096)));

static uint64_t address_of(unsigned offset)
{
    return (uint64_t)(uintptr_t)&buffer[offset];
}

static void fill_buffer(uint8_t value)
{
    for (unsigned i = 0; i < sizeof(buffer); i++) {
        buffer[i] = value;
    }
}

TEST(ins_bytes)
{
    uint64_t to = address_of(4090); /* across a page's end */
    uint64_t count = 10;

    fill_buffer(0);
    outb(SCRATCH, 0x5a);
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(to, address_of(4100));
    for (unsigned i = 4089; i <= 4100; i++) {
        CHECK_EQUAL(buffer[i], i >= 4090 && i < 4100 ? 0x5a : 0);
    }
}

TEST(ins_wide)
{
    uint64_t to = address_of(1); /* not aligned */
    uint64_t count = 3;

    fill_buffer(0);
    __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(EMPTY) : "memory");
    CHECK_EQUAL(to, address_of(7));
    CHECK_EQUAL(buffer[0], 0);
    CHECK_EQUAL(buffer[6], 0xff);
    CHECK_EQUAL(buffer[7], 0);
    to = address_of(4094);
    count = 2;
    __asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(EMPTY) : "memory");
    CHECK_EQUAL(to, address_of(4102));
    CHECK_EQUAL(buffer[4093], 0);
    CHECK_EQUAL(buffer[4094], 0xff);
    CHECK_EQUAL(buffer[4101], 0xff);
    CHECK_EQUAL(buffer[4102], 0);
}

TEST(ins_single)
{
    uint64_t to = address_of(0);
    uint64_t count = 5;

    fill_buffer(0);
    outb(SCRATCH, 0x77);
    __asm__ volatile("insb" : "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(count, 5);
    CHECK_EQUAL(to, address_of(1));
    CHECK_EQUAL(buffer[0], 0x77);
    CHECK_EQUAL(buffer[1], 0);
}

TEST(ins_backwards)
{
    uint64_t to = address_of(4097);
    uint64_t count = 4;

    fill_buffer(0);
    outb(SCRATCH, 0x33);
    __asm__ volatile("std; rep insb; cld" : "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(to, address_of(4093));
    CHECK_EQUAL(buffer[4093], 0);
    CHECK_EQUAL(buffer[4094], 0x33);
    CHECK_EQUAL(buffer[4097], 0x33);
    CHECK_EQUAL(buffer[4098], 0);
}

TEST(outs_bytes)
{
    uint64_t from = address_of(4090);
    uint64_t count = 10;

    for (unsigned i = 0; i < 10; i++) {
        buffer[4090 + i] = (uint8_t)(0x10 + i);
    }
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(from, address_of(4100));
    CHECK_EQUAL(inb(SCRATCH), 0x19);
    from = address_of(4099);
    count = 4;
    __asm__ volatile("std; rep outsb; cld" : "+S"(from), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(from, address_of(4095));
    CHECK_EQUAL(inb(SCRATCH), 0x16);
}

TEST(string_counts)
{
    uint64_t from = address_of(0);
    uint64_t count = 0;

    outb(SCRATCH, 0x99);
    buffer[0] = 0x11;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(from, address_of(0));
    CHECK_EQUAL(inb(SCRATCH), 0x99);
    /* More than anyone moves at one go. */
    uint64_t to = address_of(0);
    count = sizeof(buffer);
    fill_buffer(0);
    outb(SCRATCH, 0x42);
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(to, address_of(0) + sizeof(buffer));
    for (unsigned i = 0; i < sizeof(buffer); i += 511) {
        CHECK_EQUAL(buffer[i], 0x42);
    }
}

TEST(string_address_size)
{
    uint64_t from = address_of(2);
    uint64_t high = UINT64_C(0xabcdef01) << 32;
    uint64_t rsi = high | from;
    uint64_t rcx = high | 2;

    buffer[3] = 0x6b;
    __asm__ volatile("addr32 rep outsb" : "+S"(rsi), "+c"(rcx) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(rsi, from + 2);
    CHECK_EQUAL(rcx, 0);
    CHECK_EQUAL(inb(SCRATCH), 0x6b);
}

TEST(string_segments)
{
    uint64_t rsi = 5;

    wrmsr(MSR_GS_BASE, address_of(100));
    buffer[105] = 0xe1;
    __asm__ volatile("gs outsb" : "+S"(rsi) : "d"(SCRATCH) : "memory");
    CHECK_EQUAL(rsi, 6);
    CHECK_EQUAL(inb(SCRATCH), 0xe1);
    wrmsr(MSR_GS_BASE, 0);
}

TEST(string_faults_midway)
{
    uint64_t rdi = TEST_PAGE + 4093;
    uint64_t rcx = 6;

    page_pdpt[256] = (uint64_t)(uintptr_t)directory | 3;
    directory[0] = (uint64_t)(uintptr_t)table | 3;
    table[0] = address_of(0) | 3;
    table[1] = 0;
    invlpg(TEST_PAGE);
    invlpg(TEST_PAGE + 4096);
    outb(SCRATCH, 0x2d);
    fill_buffer(0);
    CHECK_EQUAL(TRY("rep insb", OUT("+D"(rdi), "+c"(rcx)), IN("d"(SCRATCH))), EXCEPTION_PF);
    CHECK_EQUAL(trap.error_code, PF_WRITE);
    CHECK_EQUAL(trap.cr2, TEST_PAGE + 4096);
    CHECK_EQUAL(rcx, 3);
    CHECK_EQUAL(rdi, TEST_PAGE + 4096);
    CHECK_EQUAL(buffer[4095], 0x2d);
    /* Read-only pages can be written out, not read in. */
    table[1] = address_of(4096) | 1;
    invlpg(TEST_PAGE + 4096);
    CHECK_EQUAL(TRY("rep insb", OUT("+D"(rdi), "+c"(rcx)), IN("d"(SCRATCH))), EXCEPTION_PF);
    CHECK_EQUAL(trap.error_code, PF_PRESENT | PF_WRITE);
    CHECK_EQUAL(rcx, 3);
    CHECK_EQUAL(TRY("rep outsb", OUT("+S"(rdi), "+c"(rcx)), IN("d"(SCRATCH))), NO_TRAP);
    CHECK_EQUAL(rcx, 0);
}

static unsigned steps;

static void step(struct trap_frame *frame)
{
    if (++steps == 3) {
        frame->rflags &= ~RFLAGS_TF;
    }
}

/* Each element of a repeated transfer is a step. */
TEST(string_single_step)
{
    uint64_t rdi = address_of(0);
    uint64_t rcx = 3;
    uint64_t left;

    steps = 0;
    set_handler(EXCEPTION_DB, step);
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; rep insb; movq %%rcx, %2; nop"
                     : "+D"(rdi), "+c"(rcx), "=r"(left)
                     : "d"(SCRATCH)
                     : "memory", "cc");
    set_handler(EXCEPTION_DB, NULL);
    CHECK_EQUAL(steps, 3);
    CHECK_EQUAL(left, 0);
}
