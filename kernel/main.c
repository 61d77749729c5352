/*
 * Puts the house together: brings the machine up, stage by stage, each with a line of facts.
 */
#include <stddef.h>
#include <string.h>

#include "drivers/framebuffer.h"
#include "drivers/pci/pci.h"
#include "drivers/serial.h"
#include "guest/selftest_vcpus.h"
#include "kernel/acpi/acpi.h"
#include "kernel/apic.h"
#include "kernel/boot/boot.h"
#include "kernel/boot/boot_info.h"
#include "kernel/cpu/features.h"
#include "kernel/cpu/idt.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/ioapic.h"
#include "kernel/log.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/paging.h"
#include "kernel/pic.h"
#include "kernel/selftest.h"
#include "kernel/smp.h"
#include "kernel/symbols.h"
#include "kernel/thread.h"
#include "kernel/time.h"
#include "manage/host.h"
#include "virt/vcpu.h"
#include "vmx/vmx.h"

/* Exceptions can be told from here on. */
static void start_cpu(void)
{
    percpu_init();
    idt_init();
    idt_load();
    serial_init();
}

static void start_memory(uint64_t information)
{
    boot_info_init(information);
    log_info("Innkeeper " INNKEEPER_VERSION ", loaded at 0x%lx by %s, %s firmware",
             kernel_image_phys, boot_info()->loader, boot_info()->efi ? "UEFI" : "BIOS");
    cpu_enable_features();
    frames_init();
    paging_init();
    frames_add_high();
    symbols_init();
    cpu_describe();
    log_info("memory: %lu MiB usable, kernel image %lu KiB, %u modules",
             frames_total() * FRAME_SIZE >> 20, (uint64_t)(image_end - image_start) >> 10,
             boot_info()->module_count);
}

static void start_devices(void)
{
    framebuffer_init();
    acpi_init();
    pic_disable();
    apic_init();
    ioapics_init();
    pci_init();
    time_init();
    apic_timer_init();
    serial_connect();
    threads_start_cpu();
    smp_start();
}

/* A CPU that refuses has said so, and runs no guests. */
static void enable_vmx(void *context)
{
    (void)context;
    (void)vmx_enable_cpu();
}

static void describe_virtualization(void)
{
    const struct virt_features *features = virt->features;

    log_info("VT-x is on: EPT, unrestricted guest%s%s%s%s%s", features->vpid ? ", VPID" : "",
             features->preemption_timer ? ", preemption timer" : "",
             features->virtual_nmis ? ", virtual NMIs" : "",
             features->apic_register_virtualization ? ", APIC registers" : "",
             features->virtual_interrupt_delivery ? ", virtual interrupt delivery" : "");
}

/* Bochs 2.7 delivers a pending virtual interrupt when a host interrupt comes, even to a guest whose
 * IF is clear, and forgets one whose delivery meets an EPT violation. */
static bool is_bochs(void)
{
    const uint32_t hypervisor = UINT32_C(1) << 31; /* CPUID.1:ECX; set in virtual machines only */

    return strcmp(acpi_info()->oem_id, "BOCHS ") == 0 && !(cpuid(1, 0).ecx & hypervisor);
}

static enum apic_virtualization choose_apic_virtualization(void)
{
    char option[8];

    if (boot_option("apicv", option, sizeof(option))) {
        if (strcmp(option, "off") == 0) {
            return APIC_VIRTUALIZATION_OFF;
        }
        if (strcmp(option, "on") == 0) {
            return APIC_VIRTUALIZATION_FULL;
        }
        log_warn("apicv=%s: neither \"on\" nor \"off\"; ignored", option);
    }
    if (is_bochs()) {
        log_info("VT-x: no virtual interrupt delivery, which Bochs gets wrong (apicv=on uses it)");
        return APIC_VIRTUALIZATION_ACCESS;
    }
    return APIC_VIRTUALIZATION_FULL;
}

/* Without VT-x the kernel stays up all the same, and says why there are no VMs. */
static bool start_virtualization(void)
{
    const char *refusal;

    vmx_apic_virtualization = choose_apic_virtualization();
    if (vmx_probe(&refusal)) {
        virt_refusal = refusal;
        log_error("no VM can run on this machine: %s", refusal);
        return false;
    }
    if (vmx_enable_cpu()) {
        virt_refusal = "VT-x could not be switched on, see the log";
        return false;
    }
    for (unsigned i = 1; i < smp_count(); i++) {
        smp_call(smp_cpu(i), enable_vmx, NULL);
    }
    virt = &vmx_ops;
    describe_virtualization();
    return true;
}

_Noreturn void kernel_main(uint64_t information)
{
    start_cpu();
    start_memory(information);
    start_devices();
    selftest_run();
    log_info("ready %lu ticks after the first instruction", rdtsc() - boot_tsc);
    cli();
    host_init();
    if (start_virtualization()) {
        selftest_vcpus();
        host_define_vms();
    }
    host_run();
}
