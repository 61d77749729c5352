#include "kernel/memory/paging.h"

#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/cpu/interrupts.h"
#include "kernel/cpu/spinlock.h"
#include "kernel/cpu/tables.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/page_table.h"
#include "kernel/panic.h"
#include "kernel/smp.h"

#define DEVICE_AREA_BASE UINT64_C(0xffffc00000000000)
#define DEVICE_AREA_END  UINT64_C(0xffffd00000000000)
#define STACK_AREA_BASE  DEVICE_AREA_END
#define STACK_AREA_END   UINT64_C(0xffffe00000000000)

#define LOW_MEMORY_END UINT64_C(0x100000)
#define LARGE_PAGE     UINT64_C(0x200000)

#define CPUID_EXTENDED_MAX      0x80000000u
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_EDX_1G_PAGES      (1u << 26)

#define KERNEL_READ  (PAGE_GLOBAL | PAGE_NO_EXECUTE)
#define KERNEL_WRITE (PAGE_GLOBAL | PAGE_NO_EXECUTE | PAGE_WRITABLE)
#define KERNEL_EXEC  PAGE_GLOBAL

/* A stack that was given back. It stays mapped, so that no CPU has to forget a translation, and
 * waits at its own lowest address for the next taker of its size. */
struct spare_stack {
    struct spare_stack *next;
    size_t size;
};

static uint64_t alloc_table_page(void)
{
    return frame_alloc(0);
}

static struct page_table kernel_table = {.alloc = alloc_table_page, .map = DIRECT_MAP_BASE};
static struct spinlock lock;
static uint64_t next_device = DEVICE_AREA_BASE;
static uint64_t next_stack = STACK_AREA_BASE;
static struct spare_stack *spare_stacks;

static uint64_t page_floor(uint64_t address)
{
    return address & ~(uint64_t)(FRAME_SIZE - 1);
}

static uint64_t page_ceiling(uint64_t address)
{
    return page_floor(address + FRAME_SIZE - 1);
}

static void map_early(uint64_t virt, uint64_t phys, uint64_t size, uint64_t flags)
{
    if (page_table_map(&kernel_table, virt, phys, size, flags) != 0) {
        panic("memory: too little below 4 GiB for the kernel's page tables");
    }
}

static void map_image(const char *from, const char *to, uint64_t flags)
{
    uint64_t offset = (uint64_t)(from - image_start);

    map_early((uintptr_t)from, kernel_image_phys + offset, (uint64_t)(to - from), flags);
}

static void map_kernel_image(void)
{
    map_image(image_start, rodata_start, KERNEL_EXEC);
    map_image(rodata_start, data_start, KERNEL_READ);
    map_image(data_start, stacks_start, KERNEL_WRITE);
    for (const char *at = stacks_start; at < stacks_end; at += sizeof(struct guarded_stack)) {
        map_image(at + sizeof(((struct guarded_stack *)0)->guard),
                  at + sizeof(struct guarded_stack), KERNEL_WRITE);
    }
    map_image(stacks_end, image_end, KERNEL_WRITE);
}

/* RAM and what firmware left in it. Other reserved ranges are not mapped, lest the CPU read ahead
 * into a device. */
static void map_direct(void)
{
    const struct boot_info *boot = boot_info();

    map_early(DIRECT_MAP_BASE, 0, LOW_MEMORY_END, KERNEL_WRITE);
    for (unsigned i = 0; i < boot->memory_count; i++) {
        const struct boot_memory_range *range = &boot->memory[i];
        uint64_t base = page_floor(range->base);
        uint64_t end;

        if ((range->kind != BOOT_MEMORY_RAM && range->kind != BOOT_MEMORY_ACPI &&
             range->kind != BOOT_MEMORY_NVS) ||
            range->base >= DIRECT_MAP_SIZE || range->size > DIRECT_MAP_SIZE - range->base) {
            continue;
        }
        end = page_ceiling(range->base + range->size);
        map_early(DIRECT_MAP_BASE + base, base, end - base, KERNEL_WRITE);
    }
    /* No way round the protection of the image. */
    map_early(DIRECT_MAP_BASE + kernel_image_phys, kernel_image_phys,
              (uint64_t)(data_start - image_start), KERNEL_READ);
}

void paging_init(void)
{
    kernel_table.largest = PAGE_LEVEL_2M;
    if (cpuid(CPUID_EXTENDED_MAX, 0).eax >= CPUID_EXTENDED_FEATURES &&
        (cpuid(CPUID_EXTENDED_FEATURES, 0).edx & CPUID_EDX_1G_PAGES) != 0) {
        kernel_table.largest = PAGE_LEVEL_1G;
    }
    map_direct();
    map_kernel_image();
    /* The first tables had no global pages, so nothing of them stays behind. */
    write_cr3(kernel_table.root);
}

uint64_t kernel_cr3(void)
{
    return kernel_table.root;
}

uint64_t virt_to_phys(const void *address)
{
    uint64_t virt = (uintptr_t)address;

    if (virt >= KERNEL_BASE) {
        return virt - KERNEL_BASE + kernel_image_phys;
    }
    ASSERT(virt - DIRECT_MAP_BASE < DIRECT_MAP_SIZE,
           "only the direct map and the kernel image have a fixed physical address");
    return virt - DIRECT_MAP_BASE;
}

/* Takes `size` bytes of addresses out of an area; 0 when it is used up. */
static uint64_t take_addresses(uint64_t *next, uint64_t end, uint64_t size)
{
    uint64_t base = *next;

    if (size > end - base) {
        return 0;
    }
    *next = base + size;
    return base;
}

static uint64_t flags_of(enum map_type type)
{
    switch (type) {
    case MAP_DEVICE: /* PAT entry 3 */
        return KERNEL_WRITE | PAGE_CACHE_DISABLE | PAGE_WRITE_THROUGH;
    case MAP_WRITE_COMBINING: /* PAT entry 1, see cpu_enable_features */
        return KERNEL_WRITE | PAGE_WRITE_THROUGH;
    case MAP_NORMAL:
    default:
        return KERNEL_WRITE;
    }
}

void *map_physical(uint64_t phys, size_t size, enum map_type type)
{
    uint64_t base = page_floor(phys);
    uint64_t length = page_ceiling(phys + size) - base;
    bool were_on = interrupts_save();
    uint64_t virt;

    spin_lock(&lock);
    virt = take_addresses(&next_device, DEVICE_AREA_END, length);
    if (virt != 0 && page_table_map(&kernel_table, virt, base, length, flags_of(type)) != 0) {
        virt = 0;
    }
    spin_unlock(&lock);
    interrupts_restore(were_on);
    return virt == 0 ? NULL : (void *)(virt + (phys - base));
}

int paging_map(void *at, uint64_t phys, uint64_t size)
{
    uint64_t virt = (uintptr_t)at;
    bool were_on;
    int error;

    ASSERT(virt >= WINDOW_AREA_BASE && virt + size <= WINDOW_AREA_END, "windows have an area");
    were_on = interrupts_save();
    spin_lock(&lock);
    error = page_table_map(&kernel_table, virt, phys, size, KERNEL_WRITE);
    spin_unlock(&lock);
    interrupts_restore(were_on);
    return error;
}

struct address_range {
    uint64_t base;
    uint64_t end;
};

/* One address for each page, as large as it can have been. */
static void forget_range(void *context)
{
    const struct address_range *range = context;
    uint64_t at = range->base;

    while (at < range->end) {
        invlpg((const void *)at);
        at += at % LARGE_PAGE == 0 && range->end - at >= LARGE_PAGE ? LARGE_PAGE : FRAME_SIZE;
    }
}

void paging_unmap(void *at, uint64_t size)
{
    struct address_range range = {(uintptr_t)at, (uintptr_t)at + size};
    bool were_on = interrupts_save();

    spin_lock(&lock);
    page_table_unmap(&kernel_table, range.base, size);
    spin_unlock(&lock);
    forget_range(&range);
    interrupts_restore(were_on);
    smp_call_others(forget_range, &range);
}

static void *take_spare_stack(size_t size)
{
    for (struct spare_stack **at = &spare_stacks; *at != NULL; at = &(*at)->next) {
        if ((*at)->size == size) {
            struct spare_stack *stack = *at;

            *at = stack->next;
            return (char *)stack + size;
        }
    }
    return NULL;
}

static void *make_stack(size_t size)
{
    uint64_t guard = take_addresses(&next_stack, STACK_AREA_END, size + FRAME_SIZE);
    uint64_t bottom = guard + FRAME_SIZE;

    if (guard == 0) {
        return NULL;
    }
    for (uint64_t offset = 0; offset < size; offset += FRAME_SIZE) {
        uint64_t frame = frame_alloc(0);

        /* What is mapped already is lost: memory is at its end anyway. */
        if (frame == 0 ||
            page_table_map(&kernel_table, bottom + offset, frame, FRAME_SIZE, KERNEL_WRITE) != 0) {
            return NULL;
        }
    }
    return (void *)(bottom + size);
}

void *stack_alloc(size_t size)
{
    bool were_on = interrupts_save();
    void *top;

    ASSERT(size > 0 && size % FRAME_SIZE == 0, "a stack is a whole number of pages");
    spin_lock(&lock);
    top = take_spare_stack(size);
    if (top == NULL) {
        top = make_stack(size);
    }
    spin_unlock(&lock);
    interrupts_restore(were_on);
    return top;
}

void stack_free(void *top, size_t size)
{
    struct spare_stack *stack = (struct spare_stack *)((char *)top - size);
    bool were_on = interrupts_save();

    spin_lock(&lock);
    stack->size = size;
    stack->next = spare_stacks;
    spare_stacks = stack;
    spin_unlock(&lock);
    interrupts_restore(were_on);
}

bool paging_is_mapped(uint64_t address)
{
    enum page_level level;

    if (kernel_table.root == 0) {
        return address >= (uintptr_t)image_start && address < (uintptr_t)image_end;
    }
    /* Bits 63:48 must repeat bit 47; the tables do not hold them. */
    return (int64_t)(address << 16) >> 16 == (int64_t)address &&
           page_table_lookup(&kernel_table, address, &level) != 0;
}

bool paging_is_guard(uint64_t address)
{
    if (address >= (uintptr_t)stacks_start && address < (uintptr_t)stacks_end) {
        return (address - (uintptr_t)stacks_start) % sizeof(struct guarded_stack) <
               sizeof(((struct guarded_stack *)0)->guard);
    }
    return address >= STACK_AREA_BASE && address < next_stack && !paging_is_mapped(address);
}
