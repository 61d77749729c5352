#include "tests/bench/kvm/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB UINT64_C(0x100000)
/* KVM wants some pages of the guest's space for itself. */
#define IDENTITY_MAP 0xfffbc000u
#define TSS_PAGES    0xfffbd000u

#define CPUID_ENTRIES      256u
#define CPUID_1_DEADLINE   (1u << 24) /* ECX */
#define CPUID_1_HYPERVISOR (1u << 31)
#define MULTIBOOT_BOOTED   0x2badb002u
#define CR0_PE             1u
#define RFLAGS_FIXED1      2u
#define TYPE_CODE_ACCESSED 11
#define TYPE_DATA_ACCESSED 3

static struct guest guest = {.vcpu_count = 1, .memory_size = 64 * MIB, .cmdline = ""};
static bool share_cpu;

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("launcher: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

int checked_ioctl(int file, unsigned long request, void *argument, const char *what)
{
    int result = ioctl(file, request, argument);

    if (result < 0) {
        fail("%s: %s", what, strerror(errno));
    }
    return result;
}

static struct image open_image(const char *path)
{
    struct image image = {.path = path};
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &status) != 0) {
        fail("%s: %s", path, strerror(errno));
    }
    image.size = (size_t)status.st_size;
    image.data = mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, file, 0);
    if (image.data == MAP_FAILED) {
        fail("%s: %s", path, strerror(errno));
    }
    close(file);
    return image;
}

/* Aligned, so that the host's kernel can back it with pages of 2 MiB. */
static void make_memory(void)
{
    const size_t block = 2 * MIB;
    uint8_t *memory = mmap(NULL, guest.memory_size + block, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct kvm_userspace_memory_region region = {.memory_size = guest.memory_size};

    if (memory == MAP_FAILED) {
        fail("memory: %s", strerror(errno));
    }
    memory += (block - (uintptr_t)memory % block) % block;
    (void)madvise(memory, guest.memory_size, MADV_HUGEPAGE);
    guest.memory = memory;
    region.userspace_addr = (uintptr_t)memory;
    checked_ioctl(guest.vm, KVM_SET_USER_MEMORY_REGION, &region, "memory");
}

static void make_vm(void)
{
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY}; /* port 0x61, too */
    uint64_t identity_map = IDENTITY_MAP;

    guest.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (guest.kvm < 0) {
        fail("/dev/kvm: %s", strerror(errno));
    }
    guest.vm = checked_ioctl(guest.kvm, KVM_CREATE_VM, NULL, "VM");
    checked_ioctl(guest.vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map, "identity map");
    checked_ioctl(guest.vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)TSS_PAGES, "TSS");
    checked_ioctl(guest.vm, KVM_CREATE_IRQCHIP, NULL, "interrupt controllers");
    checked_ioctl(guest.vm, KVM_CREATE_PIT2, &pit, "PIT");
}

/* All that KVM supports; who is who, and what depends on what was made for it, it leaves to us. */
static void set_cpuid(unsigned index)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));

    if (!cpuid) {
        fail("no memory");
    }
    cpuid->nent = CPUID_ENTRIES;
    checked_ioctl(guest.kvm, KVM_GET_SUPPORTED_CPUID, cpuid, "supported CPUID");
    for (unsigned i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

        if (entry->function == 1) {
            entry->ebx = (entry->ebx & 0xffff) | index << 24 | guest.vcpu_count << 16;
            entry->ecx |= CPUID_1_DEADLINE | CPUID_1_HYPERVISOR;
        } else if (entry->function == 0xb || entry->function == 0x1f) {
            entry->edx = index;
        }
    }
    checked_ioctl(guest.vcpu[index], KVM_SET_CPUID2, cpuid, "CPUID");
    free(cpuid);
}

static void set_segment(struct kvm_segment *segment, uint8_t type)
{
    *segment = (struct kvm_segment){
        .limit = 0xffffffff, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
    segment->selector = type == TYPE_CODE_ACCESSED ? 0x8 : 0x10;
}

/* As multiboot wants it: 32-bit protected mode, flat. */
static void set_start(uint32_t entry)
{
    struct kvm_sregs system;
    struct kvm_regs registers = {.rax = MULTIBOOT_BOOTED,
                                 .rbx = MULTIBOOT_INFORMATION,
                                 .rip = entry,
                                 .rflags = RFLAGS_FIXED1};

    checked_ioctl(guest.vcpu[0], KVM_GET_SREGS, &system, "system registers");
    set_segment(&system.cs, TYPE_CODE_ACCESSED);
    set_segment(&system.ds, TYPE_DATA_ACCESSED);
    system.es = system.fs = system.gs = system.ss = system.ds;
    system.cr0 |= CR0_PE;
    checked_ioctl(guest.vcpu[0], KVM_SET_SREGS, &system, "system registers");
    checked_ioctl(guest.vcpu[0], KVM_SET_REGS, &registers, "registers");
}

static void serve_port(struct kvm_run *run)
{
    uint8_t *data = (uint8_t *)run + run->io.data_offset;

    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        if (run->io.direction == KVM_EXIT_IO_IN) {
            port_read(&guest, run->io.port, run->io.size, data);
        } else {
            port_write(&guest, run->io.port, run->io.size, data);
        }
    }
}

static void stay_on_first_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
        fail("affinity: %s", strerror(errno));
    }
}

static void *run_vcpu(void *context)
{
    int vcpu = *(int *)context;
    size_t size = (size_t)checked_ioctl(guest.kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "size");
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

    if (run == MAP_FAILED) {
        fail("vCPU: %s", strerror(errno));
    }
    if (share_cpu) {
        stay_on_first_cpu();
    }
    for (;;) {
        if (ioctl(vcpu, KVM_RUN, NULL) < 0) {
            /* One that waits for its start-up IPI looks up at times. */
            if (errno != EINTR && errno != EAGAIN) {
                fail("run: %s", strerror(errno));
            }
            continue;
        }
        switch (run->exit_reason) {
        case KVM_EXIT_IO:
            serve_port(run);
            break;
        case KVM_EXIT_MMIO:
            if (!run->mmio.is_write) {
                memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
            }
            break;
        default:
            fail("exit %u of vCPU %ld", run->exit_reason, (int *)context - guest.vcpu);
        }
    }
    return NULL;
}

static void usage(void)
{
    fputs("usage: launcher [--vcpus N] [--one-cpu] [--memory MiB] [--cmdline TEXT]\n"
          "                [--module FILE]... IMAGE\n",
          stderr);
    exit(2);
}

static void parse(int count, char **arguments)
{
    static const struct option options[] = {
        {"vcpus", required_argument, NULL, 'v'},  {"one-cpu", no_argument, NULL, 'o'},
        {"memory", required_argument, NULL, 'm'}, {"cmdline", required_argument, NULL, 'c'},
        {"module", required_argument, NULL, 'i'}, {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        switch (option) {
        case 'v':
            guest.vcpu_count = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'o':
            share_cpu = true;
            break;
        case 'm':
            guest.memory_size = strtoul(optarg, NULL, 10) * MIB;
            break;
        case 'c':
            guest.cmdline = optarg;
            break;
        case 'i':
            if (guest.module_count == MODULES_MAX) {
                fail("too many modules");
            }
            guest.modules[guest.module_count++] = open_image(optarg);
            break;
        default:
            usage();
        }
    }
    if (optind != count - 1 || guest.vcpu_count < 1 || guest.vcpu_count > VCPUS_MAX ||
        guest.memory_size < 4 * MIB || guest.memory_size > 2048 * MIB) {
        usage();
    }
    guest.image = open_image(arguments[optind]);
}

int main(int count, char **arguments)
{
    pthread_t threads[VCPUS_MAX];

    parse(count, arguments);
    /* Nothing goes to the host's slow console while a guest measures; lines of its serial port do.
     */
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    make_vm();
    make_memory();
    for (unsigned i = 0; i < guest.vcpu_count; i++) {
        guest.vcpu[i] =
            checked_ioctl(guest.vm, KVM_CREATE_VCPU, (void *)(uintptr_t)i, "creating a vCPU");
        set_cpuid(i);
    }
    write_acpi_tables(&guest);
    set_start(load_multiboot(&guest));
    count_exits(&guest, false);
    for (unsigned i = 0; i < guest.vcpu_count; i++) {
        if (pthread_create(&threads[i], NULL, run_vcpu, &guest.vcpu[i]) != 0) {
            fail("no thread");
        }
    }
    pthread_join(threads[0], NULL); /* the guest ends the program */
    return 1;
}
