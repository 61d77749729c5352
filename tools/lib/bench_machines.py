"""The machines of tools/bench. Each function here is one machine's run, from its disc to its end,
and returns a Run; they are independent of each other."""

import contextlib
import json
import os
import tempfile

import bench_disks
import bench_https
import bench_output
import build
import image_size
import machine
from bench_table import BARE, INNKEEPER, KVM

ACCELERATED = "corei7_skylake_x"
# Every access to the local APIC's page exits there, if Innkeeper is told to use no APIC
# virtualisation.
BASE = "corei7_sandy_bridge_2600k"

GUEST = "bench.elf"
LOADER = "linux_loader.elf"
TIMEOUT = 1200

BARE_CONFIG = "port_e9_hack: enabled=1\n"
# Linux is to do the same everywhere. Bochs's CPUID does not tell the TSC's real frequency. On the bare
# machine Linux finds fast string operations turned off, and XSAVE not to its liking; where it has
# them it runs other code, which this TSC makes much of: a tick for every byte of a REP STOSB. Lines
# of a slow console are no part of what Linux costs.
LINUX = ("console=ttyS0,115200 quiet cryptomgr.notests "
         f"tsc_early_khz={machine.BOCHS_IPS // 1000} clearcpuid=erms,rep_good noxsave")
LINUX_MEMORY = 256

ROUNDS = 64  # of the bench guest

STOPPED = r"vm bench exits: .*\n"
SELFTEST_END = r"selftest threads: (passed|FAILED).*\n"

# Rows that depend on APIC virtualisation: what they cost with it has a name of its own.
VIRTUAL = "_virtual"
APIC_PAGE = ("xapic_read", "xapic_write", "xapic_eoi", "xapic_self_ipi")
APIC = APIC_PAGE + ("x2apic_eoi", "self_ipi", "self_ipi_icr", "irq_window", "self_ipi_hlt")


# Machines that run now, for whoever has to end them.
running = set()


@contextlib.contextmanager
def started(iso, directory, **options):
    box = machine.Machine("bochs", iso, directory=directory, **options)
    running.add(box)
    try:
        with box:
            yield box
    finally:
        running.discard(box)


class Run:
    """What one machine's run found."""

    def __init__(self, place):
        self.place = place
        self.rows = []  # (name, value, mean, unit)
        self.exits = {}  # workload -> {reason: count}

    def add(self, name, value, mean=None, unit="ticks"):
        self.rows.append((name, value, mean, unit))

    def add_guest(self, text, guests=1, wanted=lambda name: True, rename=lambda name: name):
        for name, least, mean in bench_output.rows(text, guests):
            if wanted(name):
                self.add(rename(name), least, mean)
        self.exits.update(bench_output.exits(text))

    def add_kernel(self, text):
        for name, value, unit in bench_output.kernel_rows(text):
            self.add(name, value, unit=unit)


def virtual_name(name):
    return name + VIRTUAL if name in APIC_PAGE else name


def is_ipi(name):
    return name.startswith("ipi_")


# Innkeeper.

def boot_innkeeper(kernel, until, vm=None, modules=None, cpu=ACCELERATED, cpus=1, cmdline=""):
    """What the machine says until a pattern comes."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "innkeeper.iso")
        vms = os.path.join(directory, "bench.json") if vm else None
        if vm:
            with open(vms, "w", encoding="utf-8") as file:
                json.dump({"vms": [{"name": "bench", **vm}]}, file)
        build.make_iso(iso, kernel, vms, modules, cmdline)
        with started(iso, directory, cpu=cpu, cpus=cpus) as box:
            box.expect(until, TIMEOUT)
            return box.text


def bench_vm(vcpus=1, cmdline="", **more):
    return {"memory": "64M", "vcpus": vcpus,
            "multiboot": {"image": GUEST, "cmdline": cmdline}, **more}


def innkeeper_exits(kernel):
    """Most rows. Two vCPUs share a CPU, but most rows are of one of them alone."""
    run = Run(INNKEEPER)
    text = boot_innkeeper(kernel, STOPPED, bench_vm(2, "cpus=2 shared"))
    run.add_guest(text, rename=virtual_name)
    run.add_kernel(text)
    return run


def innkeeper_two_cpus(kernel):
    run = Run(INNKEEPER)
    text = boot_innkeeper(kernel, STOPPED, bench_vm(2, "cpus=2"), cpus=2)
    run.add_guest(text, wanted=is_ipi)
    return run


def innkeeper_plain_apic(kernel):
    run = Run(INNKEEPER)
    text = boot_innkeeper(kernel, STOPPED, bench_vm(), cpu=BASE, cmdline="apicv=off")
    run.add_guest(text, wanted=lambda name: name in APIC_PAGE)
    return run


def innkeeper_virtual_apic(kernel):
    run = Run(INNKEEPER)
    text = boot_innkeeper(kernel, STOPPED, bench_vm(), cmdline="apicv=on")
    run.add_guest(text, wanted=lambda name: name in APIC, rename=lambda name: name + VIRTUAL)
    return run


def innkeeper_threads(kernel):
    run = Run(INNKEEPER)
    run.add_kernel(boot_innkeeper(kernel, SELFTEST_END, cmdline="selftest=threads"))
    return run


def innkeeper_vcpu_switch(kernel):
    run = Run(INNKEEPER)
    run.add_kernel(boot_innkeeper(kernel, bench_output.VCPU_SWITCH.pattern + r".*\n", cmdline="selftest=vcpus"))
    return run


def innkeeper_wake(kernel):
    """The one row that wants the test device, which costs others a little."""
    run = Run(INNKEEPER)
    text = boot_innkeeper(kernel, STOPPED, bench_vm(1, "test-device", **{"test-device": True}))
    run.add_guest(text, wanted=lambda name: name == "vcpu_wake")
    return run


def innkeeper_vmcs(counting_kernel):
    run = Run(INNKEEPER)
    text = boot_innkeeper(counting_kernel, bench_output.VMCS_ACCESSES.pattern + r"\n", bench_vm())
    for name, value, unit in bench_output.kernel_rows(text):
        if unit == "accesses":
            run.add(name, value, unit=unit)
    return run


def innkeeper_memory(kernel):
    """What a VM takes beside its guest's own memory."""
    run = Run(INNKEEPER)
    taken = []
    for vcpus in (1, 2):
        text = boot_innkeeper(kernel, r"vm-cycles: \d+ cycles: .*\n",
                              bench_vm(vcpus, autostart=False), cmdline="vm-cycles=1")
        match = bench_output.VM_MEMORY.search(text)
        if not match:
            raise machine.MachineError("the kernel does not say what a VM takes")
        taken.append(int(match.group(1)))
    run.add("vm_memory", taken[0], unit="bytes")
    run.add("vcpu_memory", taken[1] - taken[0], unit="bytes")
    return run


def innkeeper_linux(kernel):
    run = Run(INNKEEPER)
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        initrd = os.path.join(directory, "initrd")
        bench_disks.make_worker_initrd(initrd)
        vm = {"memory": f"{LINUX_MEMORY}M", "test-device": True,  # it tells the guest its exits
              "multiboot": {"image": LOADER, "cmdline": LINUX, "modules": ["vmlinux", "initrd"]}}
        text = boot_innkeeper(kernel, STOPPED, vm, {"initrd": initrd})
    run.add_guest(text)
    return run


def innkeeper_https(kernel):
    run = Run(INNKEEPER)
    for name, value in bench_https.run(kernel, started).items():
        run.add(name, value)
    return run


def image_sizes(kernel):
    """Not a machine, but as good as one: the kernel image, by section."""
    run = Run(INNKEEPER)
    for name, size in image_size.sections(kernel).items():
        run.add(f"kernel_{name}", size, unit="bytes")
    run.add("kernel_loaded", image_size.loaded(kernel), unit="bytes")
    return run


# The bare machine.

def boot_bare(image, cmdline, modules=(), cpus=1, memory=1024, cpu=ACCELERATED):
    """What the image says, by the serial port and by Bochs's debug port, until it has ended."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "bare.iso")
        bench_disks.make_bare_iso(iso, image, cmdline, modules)
        with started(iso, directory, cpu=cpu, cpus=cpus, memory=memory,
                     config=BARE_CONFIG) as box:
            box.wait_end(TIMEOUT)
            serial = box.text
        with open(os.path.join(directory, "emulator.log"), encoding="utf-8",
                  errors="replace") as file:
            return serial + "\n" + file.read()


def bare_exits():
    run = Run(BARE)
    text = boot_bare(bench_disks.built(GUEST), "")
    run.add_guest(text)
    run.add_guest(text, wanted=lambda name: name in APIC, rename=lambda name: name + VIRTUAL)
    return run


def bare_two_cpus():
    run = Run(BARE)
    run.add_guest(boot_bare(bench_disks.built(GUEST), "cpus=2", cpus=2), wanted=is_ipi)
    return run


def bare_linux():
    run = Run(BARE)
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        initrd = os.path.join(directory, "initrd")
        bench_disks.make_worker_initrd(initrd)
        text = boot_bare(bench_disks.built(LOADER), LINUX,
                         [bench_disks.image("vmlinux"), initrd], memory=LINUX_MEMORY)
    run.add_guest(text)
    return run


# KVM, of a Linux on the bare machine.

def boot_kvm(guests, cpus=1, cpu=ACCELERATED, options=""):
    """What the guests print that the lines of shell script `guests` start one after another."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        worker = os.path.join(directory, "worker")
        initrd = os.path.join(directory, "initrd")
        bench_disks.make_worker_initrd(worker)
        script = "\n".join([f"insmod /kvm/kvm-intel.ko {options}", *guests]) + "\n"
        bench_disks.make_kvm_initrd(initrd, script, {
            "bench.elf": bench_disks.built(GUEST), "linux_loader.elf": bench_disks.built(LOADER),
            "vmlinux": bench_disks.image("vmlinux"), "initrd": worker})
        return boot_bare(bench_disks.built(LOADER), LINUX,
                         [bench_disks.image("vmlinux"), initrd], cpus=cpus, cpu=cpu)


def kvm_exits():
    run = Run(KVM)
    text = boot_kvm(['/launcher --vcpus 2 --one-cpu --cmdline "cpus=2 shared" /bench.elf'])
    run.add_guest(text, rename=virtual_name)
    return run


def kvm_two_cpus():
    run = Run(KVM)
    run.add_guest(boot_kvm(['/launcher --vcpus 2 --cmdline "cpus=2" /bench.elf'], cpus=2),
                  wanted=is_ipi)
    return run


def kvm_plain_apic():
    run = Run(KVM)
    text = boot_kvm(["/launcher /bench.elf"], cpu=BASE, options="flexpriority=0")
    run.add_guest(text, wanted=lambda name: name in APIC_PAGE)
    return run


def kvm_linux():
    run = Run(KVM)
    run.add_guest(boot_kvm([f'/launcher --memory {LINUX_MEMORY} --module /vmlinux '
                            f'--module /initrd --cmdline "{LINUX}" /linux_loader.elf']))
    return run
