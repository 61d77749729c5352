/*
 * Memory through a guest's page tables: faults, flags, invalidation, first touch of RAM.
 */
#include "tests/guests/runtime/traps.h"

/* memory_modes.S; each works on TEST_PAGE in ring 3. */
void ring3_read(void);
void ring3_write(void);
void ring3_jump(void);

#define TEST_PAGE  UINT64_C(0x4000000000)
#define TEST_INDEX 256u /* of TEST_PAGE in the PDPT */

#define P  UINT64_C(1)
#define W  UINT64_C(2)
#define U  UINT64_C(4)
#define A  UINT64_C(0x20)
#define D  UINT64_C(0x40)
#define PS UINT64_C(0x80)
#define G  UINT64_C(0x100)
#define NX (UINT64_C(1) << 63)

extern volatile uint64_t page_pdpt[];
extern volatile uint64_t page_pml4[];

static volatile uint64_t directory[512] __attribute__((aligned(4096)));
static volatile uint64_t table[512] __attribute__((aligned(4096)));
static volatile uint64_t first_page[512] __attribute__((aligned(4096)));
static volatile uint64_t second_page[512] __attribute__((aligned(4096)));

static volatile uint64_t *const test_word = (volatile uint64_t *)TEST_PAGE;

static uint64_t phys(const volatile void *object)
{
    return (uint64_t)(uintptr_t)object;
}

static void map(uint64_t entry)
{
    page_pdpt[TEST_INDEX] = phys(directory) | P | W | U;
    directory[0] = phys(table) | P | W | U;
    table[0] = entry;
    invlpg(TEST_PAGE);
}

static int try_read(void)
{
    uint64_t value;

    return TRY("movq (%1), %0", OUT("=r"(value)), IN("r"(TEST_PAGE)));
}

static int try_write(void)
{
    return TRY("movq %0, (%1)", OUT(), IN("r"(UINT64_C(1)), "r"(TEST_PAGE)));
}

/* The page holds a RET. If the fetch faults, the CALL has pushed its return address already; the
 * stack pointer is put back. */
static int try_fetch(void)
{
    uint64_t stack;

    int vector =
        TRY("movq %%rsp, %0; call *%1; 771: movq %0, %%rsp", OUT("=&S"(stack)), IN("r"(TEST_PAGE)));

    return vector;
}

static void check_fault(int vector, uint64_t error_code)
{
    CHECK_EQUAL(vector, EXCEPTION_PF);
    CHECK_EQUAL(trap.error_code, error_code);
    CHECK_EQUAL(trap.cr2, TEST_PAGE);
}

TEST(first_touch)
{
    /* Across many megabytes, backwards too, so that neighbours come up out of order. */
    for (uint64_t address = 0x300000; address < 0xf00000; address += 0x7f000) {
        *(volatile uint64_t *)address = address ^ UINT64_C(0x5a5a5a5a5a5a5a5a);
    }
    for (uint64_t address = 0xeff000; address > 0x300000; address -= 0x101000) {
        *(volatile uint64_t *)(address + 8) = ~address;
    }
    for (uint64_t address = 0x300000; address < 0xf00000; address += 0x7f000) {
        CHECK_EQUAL(*(volatile uint64_t *)address, address ^ UINT64_C(0x5a5a5a5a5a5a5a5a));
    }
    for (uint64_t address = 0xeff000; address > 0x300000; address -= 0x101000) {
        CHECK_EQUAL(*(volatile uint64_t *)(address + 8), ~address);
    }
    if (under_innkeeper()) {
        for (uint64_t address = 0x300040; address < 0xf00000; address += 0x10000) {
            CHECK_EQUAL(*(volatile uint64_t *)address, 0); /* nothing of earlier owners */
        }
    }
}

TEST(two_addresses_of_one_page)
{
    map(phys(first_page) | P | W);
    *test_word = UINT64_C(0x123456789);
    CHECK_EQUAL(first_page[0], UINT64_C(0x123456789));
    first_page[1] = 77;
    CHECK_EQUAL(test_word[1], 77);
}

TEST(fault_not_present)
{
    map(0);
    check_fault(try_read(), 0);
    check_fault(try_write(), PF_WRITE);
    check_fault(run_in_ring(3, ring3_read, 0), PF_USER);
    check_fault(run_in_ring(3, ring3_write, 0), PF_USER | PF_WRITE);
    check_fault(run_in_ring(3, ring3_jump, 0), PF_USER | PF_FETCH); /* EFER.NXE is on */
}

TEST(fault_protection)
{
    uint64_t cr0 = read_cr0();

    map(phys(first_page) | P);
    CHECK_EQUAL(try_read(), NO_TRAP);
    check_fault(try_write(), PF_PRESENT | PF_WRITE);
    write_cr0(cr0 & ~CR0_WP);
    CHECK_EQUAL(try_write(), NO_TRAP);
    write_cr0(cr0);
    check_fault(try_write(), PF_PRESENT | PF_WRITE);
    check_fault(run_in_ring(3, ring3_read, 0), PF_PRESENT | PF_USER);
    map(phys(first_page) | P | U);
    CHECK_EQUAL(run_in_ring(3, ring3_read, 0), RETURN_VECTOR);
    check_fault(run_in_ring(3, ring3_write, 0), PF_PRESENT | PF_USER | PF_WRITE);
    map(phys(first_page) | P | W | U);
    CHECK_EQUAL(run_in_ring(3, ring3_write, 0), RETURN_VECTOR);
    /* One level that denies is enough. */
    directory[0] &= ~W;
    invlpg(TEST_PAGE);
    check_fault(try_write(), PF_PRESENT | PF_WRITE);
    directory[0] = phys(table) | P | W;
    invlpg(TEST_PAGE);
    check_fault(run_in_ring(3, ring3_read, 0), PF_PRESENT | PF_USER);
}

TEST(fault_no_execute)
{
    *(volatile uint8_t *)first_page = 0xc3; /* RET */
    map(phys(first_page) | P | W);
    CHECK_EQUAL(try_fetch(), NO_TRAP);
    map(phys(first_page) | P | W | NX);
    CHECK_EQUAL(try_read(), NO_TRAP);
    check_fault(try_fetch(), PF_PRESENT | PF_FETCH);
    map(phys(first_page) | P | W | U | NX);
    check_fault(run_in_ring(3, ring3_jump, 0), PF_PRESENT | PF_USER | PF_FETCH);
    /* Without EFER.NXE the bit is reserved. */
    uint64_t efer = rdmsr(MSR_EFER);
    wrmsr(MSR_EFER, efer & ~EFER_NXE);
    invlpg(TEST_PAGE);
    check_fault(try_read(), PF_PRESENT | PF_RESERVED);
    wrmsr(MSR_EFER, efer);
}

TEST(fault_reserved)
{
    unsigned bits = cpuid(0x80000008, 0).eax & 0xff;

    SKIP_UNLESS(bits < 52, "no reserved address bits");
    map(phys(first_page) | P | W | UINT64_C(1) << 51);
    check_fault(try_read(), PF_PRESENT | PF_RESERVED);
    check_fault(try_write(), PF_PRESENT | PF_RESERVED | PF_WRITE);
    /* In a large page the bits below its size. */
    map(0);
    directory[0] = P | W | PS | 0x2000;
    invlpg(TEST_PAGE);
    check_fault(try_read(), PF_PRESENT | PF_RESERVED);
}

TEST(fault_smep)
{
    SKIP_UNLESS((cpuid(7, 0).ebx & 1u << 7) != 0, "no SMEP");
    uint64_t cr4 = read_cr4();
    *(volatile uint8_t *)first_page = 0xc3;
    map(phys(first_page) | P | W | U);
    CHECK_EQUAL(try_fetch(), NO_TRAP);
    write_cr4(cr4 | CR4_SMEP);
    check_fault(try_fetch(), PF_PRESENT | PF_FETCH);
    CHECK_EQUAL(try_read(), NO_TRAP);
    write_cr4(cr4);
    CHECK_EQUAL(try_fetch(), NO_TRAP);
}

TEST(fault_smap)
{
    SKIP_UNLESS((cpuid(7, 0).ebx & 1u << 20) != 0, "no SMAP");
    uint64_t cr4 = read_cr4();
    map(phys(first_page) | P | W | U);
    write_cr4(cr4 | CR4_SMAP);
    check_fault(try_read(), PF_PRESENT);
    check_fault(try_write(), PF_PRESENT | PF_WRITE);
    __asm__ volatile("stac");
    CHECK_EQUAL(try_read(), NO_TRAP);
    CHECK_EQUAL(try_write(), NO_TRAP);
    __asm__ volatile("clac");
    write_cr4(cr4);
}

TEST(accessed_and_dirty)
{
    map(phys(first_page) | P | W);
    page_pdpt[TEST_INDEX] &= ~A;
    CHECK_EQUAL(table[0] & (A | D), 0);
    (void)*test_word;
    CHECK_EQUAL(table[0] & (A | D), A);
    CHECK_EQUAL(directory[0] & (A | D), A);
    CHECK_EQUAL(page_pdpt[TEST_INDEX] & A, A);
    *test_word = 1;
    CHECK_EQUAL(table[0] & (A | D), A | D);
    CHECK_EQUAL(directory[0] & D, 0);
}

TEST(invalidation)
{
    uint64_t cr4 = read_cr4();

    first_page[0] = 1;
    second_page[0] = 2;
    map(phys(first_page) | P | W | G);
    CHECK_EQUAL(*test_word, 1);
    table[0] = phys(second_page) | P | W | G;
    invlpg(TEST_PAGE);
    CHECK_EQUAL(*test_word, 2);
    /* A reload of CR3 does for pages that are not global ... */
    table[0] = phys(second_page) | P | W;
    invlpg(TEST_PAGE);
    CHECK_EQUAL(*test_word, 2);
    table[0] = phys(first_page) | P | W;
    write_cr3(read_cr3());
    CHECK_EQUAL(*test_word, 1);
    /* ... and a change of CR4.PGE for all. */
    write_cr4(cr4 | CR4_PGE);
    table[0] = phys(first_page) | P | W | G;
    invlpg(TEST_PAGE);
    CHECK_EQUAL(*test_word, 1);
    table[0] = phys(second_page) | P | W | G;
    write_cr4(cr4 & ~CR4_PGE);
    CHECK_EQUAL(*test_word, 2);
    write_cr4(cr4);
}

TEST(invpcid)
{
    SKIP_UNLESS((cpuid(7, 0).ebx & 1u << 10) != 0, "no INVPCID");
    struct {
        uint64_t pcid;
        uint64_t address;
    } descriptor = {0, TEST_PAGE};
    first_page[0] = 1;
    second_page[0] = 2;
    for (uint64_t type = 0; type < 4; type++) {
        map(phys(first_page) | P | W);
        CHECK_EQUAL(*test_word, 1);
        table[0] = phys(second_page) | P | W;
        __asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
        CHECK_EQUAL(*test_word, 2);
    }
    CHECK_EQUAL(TRY("invpcid %0, %1", OUT(), IN("m"(descriptor), "r"(UINT64_C(4)))), EXCEPTION_GP);
}

TEST(pcid)
{
    SKIP_UNLESS((cpuid(1, 0).ecx & 1u << 17) != 0, "no PCID");
    uint64_t cr4 = read_cr4();
    uint64_t cr3 = read_cr3();
    first_page[0] = 1;
    second_page[0] = 2;
    map(phys(first_page) | P | W);
    CHECK_EQUAL(TRY("movq %0, %%cr4", OUT(), IN("r"(cr4 | CR4_PCIDE))), NO_TRAP);
    write_cr3(cr3 | 5);
    CHECK_EQUAL(*test_word, 1);
    table[0] = phys(second_page) | P | W;
    write_cr3(cr3 | 5); /* bit 63 clear: forgets PCID 5 */
    CHECK_EQUAL(*test_word, 2);
    CHECK_EQUAL(read_cr3(), cr3 | 5);
    write_cr3(UINT64_C(1) << 63 | cr3 | 5);
    CHECK_EQUAL(read_cr3(), cr3 | 5); /* bit 63 is not kept */
    /* PCIDE can be set with PCID 0 alone, and paging not be switched off while it is. */
    write_cr3(cr3);
    write_cr4(cr4);
    write_cr3(cr3 | 8);
    CHECK_EQUAL(TRY("movq %0, %%cr4", OUT(), IN("r"(cr4 | CR4_PCIDE))), EXCEPTION_GP);
    write_cr3(cr3);
}

TEST(large_pages)
{
    map(0);
    directory[0] = P | W | PS; /* the first 2 MiB */
    invlpg(TEST_PAGE);
    first_page[3] = 33;
    CHECK_EQUAL(*(volatile uint64_t *)(TEST_PAGE + phys(&first_page[3])), 33);
    if ((cpuid(0x80000001, 0).edx & 1u << 26) != 0) {
        page_pdpt[TEST_INDEX] = P | W | PS; /* the first GiB */
        invlpg(TEST_PAGE);
        CHECK_EQUAL(*(volatile uint64_t *)(TEST_PAGE + phys(&first_page[3])), 33);
    }
}

TEST(self_modifying_code)
{
    volatile uint8_t *code = (volatile uint8_t *)first_page;
    uint32_t value;

    /* mov eax, n; ret: changed right before it runs, through another address too. */
    map(phys(first_page) | P | W);
    code[0] = 0xb8;
    code[5] = 0xc3;
    for (unsigned i = 1; i < 50; i++) {
        volatile uint8_t *to = i % 2 == 0 ? (volatile uint8_t *)TEST_PAGE : code;

        *(volatile uint32_t *)(to + 1) = i;
        cpuid(0, 0); /* serialises */
        __asm__ volatile("call *%1" : "=a"(value) : "r"(code) : "memory");
        CHECK_EQUAL(value, i);
    }
}

TEST(unmapped_directory_of_others)
{
    /* A PML4 entry of its own: table pages that are touched for the first time by the CPU's walk.
     */
    volatile uint64_t *far = (volatile uint64_t *)UINT64_C(0xf80000);

    far[0] = 0xf81000 | P | W;
    far[512] = 0xf82000 | P | W;
    far[1024] = phys(first_page) | P | W;
    page_pml4[100] = 0xf80000 | P | W;
    first_page[0] = 4321;
    CHECK_EQUAL(*(volatile uint64_t *)(UINT64_C(100) << 39), 4321);
    page_pml4[100] = 0;
    write_cr3(read_cr3());
}
