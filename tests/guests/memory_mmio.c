/*
 * Devices' memory by every instruction that guests use for it, and memory where nothing is.
 *
 * The register worked on is the local APIC timer's initial count: 32 bits that keep what is written
 * while the timer is masked. Narrower accesses go to the I/O APIC's select register.
 */
#include "tests/guests/runtime/devices.h"
#include "tests/guests/runtime/traps.h"

#define REGISTER (LAPIC_ADDRESS + LAPIC_INITIAL_COUNT)
#define HOLE     UINT64_C(0xd0000000)
#define STATUS   (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static void set_register(uint32_t value)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_INITIAL_COUNT, value);
}

static uint32_t get_register(void)
{
    return lapic_read(LAPIC_INITIAL_COUNT);
}

/* The same instruction on the device's register and on RAM, with the same registers: it must end
 * alike. %0 is the operand's address, RAX, RCX and RDX take part. Undefined flags are left out. */
struct outcome {
    uint64_t rax;
    uint64_t rcx;
    uint64_t rdx;
    uint64_t flags;
    uint32_t memory;
};

#define EXECUTE(instruction, address, flags_in, outcome)                                   \
    __asm__ volatile("pushq %[set]; popfq; " instruction "; pushfq; popq %[got]"           \
                     : "=&a"((outcome).rax), "=&c"((outcome).rcx),                         \
                       "=&d"((outcome).rdx), [got] "=&r"((outcome).flags)                  \
                     : "0"(UINT64_C(0x1122334455667788)), "1"(UINT64_C(12)),               \
                       "2"(UINT64_C(0x9988776655443322)), [set] "r"((uint64_t)(flags_in)), \
                       "b"(address)                                                        \
                     : "rsi", "memory", "cc")

#define COMPARE(instruction, undefined)                                                           \
    do {                                                                                          \
        static const uint32_t values[] = {0, 0x55667788, 0x80000001, 0xffffffff};                 \
        for (unsigned v = 0; v < sizeof(values) / sizeof(values[0]); v++) {                       \
            uint32_t ram[4] = {values[v]};                                                        \
            uint64_t set = RFLAGS_FIXED1 | (v % 2 == 0 ? STATUS : 0);                             \
            struct outcome expected;                                                              \
            struct outcome got;                                                                   \
            EXECUTE(instruction, (uint64_t)(uintptr_t)ram, set, expected);                        \
            expected.memory = *(volatile uint32_t *)ram;                                          \
            set_register(values[v]);                                                              \
            EXECUTE(instruction, REGISTER, set, got);                                             \
            got.memory = get_register();                                                          \
            if (got.memory != expected.memory || got.rax != expected.rax ||                       \
                got.rcx != expected.rcx || got.rdx != expected.rdx ||                             \
                ((got.flags ^ expected.flags) & STATUS & ~(uint64_t)(undefined)) != 0) {          \
                check_failed(__FILE__, __LINE__, instruction, got.memory, expected.memory, true); \
            }                                                                                     \
        }                                                                                         \
        set_register(0);                                                                          \
    } while (0)

TEST(mmio_moves)
{
    COMPARE("movl %%eax, (%%rbx)", 0);
    COMPARE("movl (%%rbx), %%ecx", 0);
    COMPARE("movl $0x12345678, (%%rbx)", 0);
    COMPARE("movl %%edx, -12(%%rbx, %%rcx, 1)", 0);
}

TEST(mmio_addressing)
{
    /* Bases, indexes, displacements: all lead to the register. */
    COMPARE("movl $12, %%ecx; movl -12(%%rbx, %%rcx, 1), %%eax", 0);
    COMPARE("movl $3, %%ecx; movl %%eax, -0xc(%%rbx, %%rcx, 4)", 0);
    COMPARE("movq %%rbx, %%rsi; movl %%eax, (%%rsi)", 0);
    COMPARE("movl %%ebx, %%esi; movl (%%esi), %%eax", 0);
    COMPARE("leaq -0x12345(%%rbx), %%rsi; movl %%eax, 0x12345(%%rsi)", 0);
    COMPARE("movl $0x10, %%ecx; subq $0x80, %%rbx; movl %%eax, (%%rbx, %%rcx, 8);"
            "addq $0x80, %%rbx",
            0);
}

TEST(mmio_arithmetic)
{
    COMPARE("addl %%eax, (%%rbx)", 0);
    COMPARE("adcl %%eax, (%%rbx)", 0);
    COMPARE("subl %%eax, (%%rbx)", 0);
    COMPARE("sbbl %%eax, (%%rbx)", 0);
    COMPARE("andl %%eax, (%%rbx)", RFLAGS_AF);
    COMPARE("orl %%eax, (%%rbx)", RFLAGS_AF);
    COMPARE("xorl %%eax, (%%rbx)", RFLAGS_AF);
    COMPARE("cmpl %%eax, (%%rbx)", 0);
    COMPARE("addl (%%rbx), %%ecx", 0);
    COMPARE("andl (%%rbx), %%ecx", RFLAGS_AF);
    COMPARE("cmpl (%%rbx), %%eax", 0);
    COMPARE("testl %%eax, (%%rbx)", RFLAGS_AF);
    COMPARE("testl $0x80000000, (%%rbx)", RFLAGS_AF);
    COMPARE("addl $0x11111111, (%%rbx)", 0);
    COMPARE("orl $-128, (%%rbx)", RFLAGS_AF);
    COMPARE("andl $0x7f, (%%rbx)", RFLAGS_AF);
    COMPARE("cmpl $0, (%%rbx)", 0);
    COMPARE("notl (%%rbx)", 0);
    COMPARE("negl (%%rbx)", 0);
    COMPARE("incl (%%rbx)", 0);
    COMPARE("decl (%%rbx)", 0);
}

TEST(mmio_read_modify_write)
{
    const uint64_t bit_undefined = RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF;

    COMPARE("xchgl %%eax, (%%rbx)", 0);
    COMPARE("xaddl %%eax, (%%rbx)", 0);
    COMPARE("lock xaddl %%ecx, (%%rbx)", 0);
    COMPARE("cmpxchgl %%ecx, (%%rbx)", 0);
    COMPARE("lock cmpxchgl %%ecx, (%%rbx)", 0);
    COMPARE("lock orl %%ecx, (%%rbx)", RFLAGS_AF);
    COMPARE("lock incl (%%rbx)", 0);
    COMPARE("btl $5, (%%rbx)", bit_undefined);
    COMPARE("btsl $31, (%%rbx)", bit_undefined);
    COMPARE("lock btrl $3, (%%rbx)", bit_undefined);
    COMPARE("btcl %%ecx, (%%rbx)", bit_undefined);
    COMPARE("movnti %%eax, (%%rbx)", 0);
}

TEST(mmio_stack)
{
    uint64_t value = 0;

    /* Eight bytes, which the local APIC need not take: on empty memory. */
    __asm__ volatile("pushq (%1); popq %0" : "=r"(value) : "r"(HOLE) : "memory");
    CHECK_EQUAL(value, UINT64_MAX);
    __asm__ volatile("pushq $5; popq (%0)" : : "r"(HOLE) : "memory");
}

TEST(mmio_strings)
{
    uint32_t buffer[4] = {0x11111111, 0x22222222, 0, 0};
    uint64_t source = (uint64_t)(uintptr_t)buffer;
    uint64_t destination = REGISTER;
    uint32_t eax;

    __asm__ volatile("movsl" : "+S"(source), "+D"(destination) : : "memory");
    CHECK_EQUAL(get_register(), 0x11111111);
    CHECK_EQUAL(destination, REGISTER + 4);
    source = REGISTER;
    destination = (uint64_t)(uintptr_t)&buffer[2];
    __asm__ volatile("movsl" : "+S"(source), "+D"(destination) : : "memory");
    CHECK_EQUAL(*(volatile uint32_t *)&buffer[2], 0x11111111);
    destination = REGISTER;
    __asm__ volatile("stosl" : "+D"(destination) : "a"(0x33333333) : "memory");
    CHECK_EQUAL(get_register(), 0x33333333);
    source = REGISTER;
    __asm__ volatile("lodsl" : "=a"(eax), "+S"(source) : : "memory");
    CHECK_EQUAL(eax, 0x33333333);
    set_register(0);
}

TEST(mmio_repeat)
{
    uint32_t from_hole[8] = {0};
    uint64_t source = HOLE + 0xff0; /* across two pages */
    uint64_t destination = (uint64_t)(uintptr_t)from_hole;
    uint64_t count = 8;

    __asm__ volatile("rep movsl" : "+S"(source), "+D"(destination), "+c"(count) : : "memory");
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(source, HOLE + 0x1010);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_EQUAL(*(volatile uint32_t *)&from_hole[i], UINT32_MAX);
    }
    /* Down, and many more than an emulator does at one go. */
    destination = HOLE + UINT64_C(4) * 1999;
    count = 2000;
    __asm__ volatile("std; rep stosl; cld" : "+D"(destination), "+c"(count) : "a"(0) : "memory");
    CHECK_EQUAL(count, 0);
    CHECK_EQUAL(destination, HOLE - 4);
    /* Scan ones until the count is over, and stop at the first difference. */
    destination = HOLE;
    count = 10;
    __asm__ volatile("repe scasb" : "+D"(destination), "+c"(count) : "a"(0xff) : "memory", "cc");
    CHECK_EQUAL(count, 0);
    destination = HOLE;
    count = 10;
    __asm__ volatile("repe scasb" : "+D"(destination), "+c"(count) : "a"(0) : "memory", "cc");
    CHECK_EQUAL(count, 9);
    CHECK_EQUAL(destination, HOLE + 1);
}

TEST(empty_memory)
{
    CHECK_EQUAL(*(volatile uint8_t *)HOLE, UINT8_MAX);
    CHECK_EQUAL(*(volatile uint16_t *)(HOLE + 2), UINT16_MAX);
    CHECK_EQUAL(*(volatile uint32_t *)(HOLE + 4), UINT32_MAX);
    CHECK_EQUAL(*(volatile uint64_t *)(HOLE + 8), UINT64_MAX);
    CHECK_EQUAL(*(volatile uint64_t *)(HOLE + 0xffd), UINT64_MAX); /* two pages */
    *(volatile uint64_t *)HOLE = 0;
    CHECK_EQUAL(*(volatile uint64_t *)HOLE, UINT64_MAX);
}

TEST(widening_loads)
{
    uint64_t value;

    __asm__ volatile("movzbl (%1), %k0" : "=r"(value) : "r"(HOLE));
    CHECK_EQUAL(value, 0xff);
    __asm__ volatile("movzwl (%1), %k0" : "=r"(value) : "r"(HOLE));
    CHECK_EQUAL(value, 0xffff);
    __asm__ volatile("movsbq (%1), %0" : "=r"(value) : "r"(HOLE));
    CHECK_EQUAL(value, UINT64_MAX);
    __asm__ volatile("movswl (%1), %k0" : "=r"(value) : "r"(HOLE));
    CHECK_EQUAL(value, UINT32_MAX);
    __asm__ volatile("movslq (%1), %0" : "=r"(value) : "r"(HOLE));
    CHECK_EQUAL(value, UINT64_MAX);
    value = 0;
    __asm__ volatile("movb (%1), %%ah; movl %%eax, %k0" : "+a"(value) : "r"(HOLE));
    CHECK_EQUAL(value, 0xff00);
    value = UINT64_C(0x1234567800000000);
    __asm__ volatile("movw (%1), %w0" : "+r"(value) : "r"(HOLE));
    CHECK_EQUAL(value, UINT64_C(0x123456780000ffff));
}

TEST(ioapic_select_by_bytes)
{
    volatile uint8_t *select = (volatile uint8_t *)IOAPIC_ADDRESS;

    SKIP_UNLESS(under_innkeeper(), "others take 32-bit accesses only");
    *select = 1;
    CHECK_EQUAL(*select, 1);
    CHECK((*(volatile uint32_t *)(IOAPIC_ADDRESS + 0x10) >> 16 & 0xff) >= 23);
}

TEST(accumulator_offset_forms)
{
    uint32_t value;

    set_register(0x600d600d);
    __asm__ volatile("movabsl 0xfee00380, %0" : "=a"(value));
    CHECK_EQUAL(value, 0x600d600d);
    __asm__ volatile("movabsl %0, 0xfee00380" : : "a"(0x01020304) : "memory");
    CHECK_EQUAL(get_register(), 0x01020304);
    set_register(0);
}

/* An instruction that lies on two pages, and whose operand is a device. */
TEST(mmio_code_across_pages)
{
    static uint8_t pages[2][4096] __attribute__((aligned(4096)));
    static const uint8_t code[] = {0x8b, 0x83, 0, 0, 0, 0, 0xc3}; /* mov eax, [rbx+0]; ret */
    uint32_t value;

    set_register(0x0badcafe);
    for (unsigned first = 1; first < 6; first++) {
        uint8_t *start = &pages[1][0] - first;

        for (unsigned i = 0; i < sizeof(code); i++) {
            start[i] = code[i];
        }
        __asm__ volatile("call *%1" : "=a"(value) : "r"(start), "b"(REGISTER) : "memory");
        CHECK_EQUAL(value, 0x0badcafe);
    }
    set_register(0);
}
