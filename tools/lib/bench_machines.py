"""The machines of tools/bench that run the bench guest, and what they print."""

import json
import os
import re
import shutil
import tempfile

import build
import machine
from bench_table import BARE, INNKEEPER

ACCELERATED = "corei7_skylake_x"
# Without more APIC virtualisation than it has, and none of that used, every access to the local
# APIC's page exits.
BASE = "corei7_sandy_bridge_2600k"

GUEST = "bench.elf"
TIMEOUT = 300

ROW = re.compile(r"^(?:\w+\| )?row (\S+) (\d+) (\d+)$", re.MULTILINE)
FAILURE = re.compile(r"^(?:\w+\| )?FAIL .*$", re.MULTILINE)
FINISHED = re.compile(r"^(?:\w+\| )?done: \d+ passed, 0 failed$", re.MULTILINE)

BOOT = re.compile(r"first VM entry (\d+) ticks after the first instruction")
END = r"vm bench exits: .*\n"
# The kernel's own measures, once there is a line for each.
THREADS = re.compile(r"selftest threads: (\d+) ticks a switch")
SELFTEST_ROW = re.compile(r"selftest \w+: row (\S+) (\d+)$", re.MULTILINE)
SELFTEST_END = r"selftest threads: (passed|FAILED).*\n"

# Rows that depend on APIC virtualisation: their name is that of the way without.
VIRTUAL = "_virtual"
APIC_PAGE = ("xapic_read", "xapic_write", "xapic_eoi", "xapic_self_ipi")
APIC = APIC_PAGE + ("x2apic_eoi", "self_ipi", "self_ipi_icr", "irq_window", "self_ipi_hlt")


def rows_of(text):
    """(name, least, mean) of each row that the bench guest printed."""
    failures = FAILURE.findall(text)
    if failures or not FINISHED.search(text):
        what = "\n".join(failures) or "\n".join(text.splitlines()[-5:])
        raise machine.MachineError(f"the bench guest did not finish well:\n{what}")
    return [(name, int(least), int(mean)) for name, least, mean in ROW.findall(text)]


def description(vcpus, cmdline):
    multiboot = {"image": GUEST, "cmdline": cmdline}
    return {"vms": [{"name": "bench", "memory": "64M", "vcpus": vcpus, "multiboot": multiboot}]}


def run_innkeeper(kernel, cpu=ACCELERATED, cpus=1, vcpus=1, guest="", cmdline=""):
    """What a machine says that runs the bench guest with Innkeeper."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "innkeeper.iso")
        vms = os.path.join(directory, "bench.json")
        with open(vms, "w", encoding="utf-8") as file:
            json.dump(description(vcpus, guest), file)
        build.make_iso(iso, kernel, vms, cmdline=cmdline)
        with machine.Machine("bochs", iso, cpu=cpu, cpus=cpus, directory=directory) as box:
            box.expect(END, TIMEOUT)
            return box.text


def run_selftest(kernel):
    """What the kernel says of its threads, without any VM."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "innkeeper.iso")
        build.make_iso(iso, kernel, cmdline="selftest=threads")
        with machine.Machine("bochs", iso, cpu=ACCELERATED, directory=directory) as box:
            box.expect(SELFTEST_END, TIMEOUT)
            return box.text


def measure_innkeeper(table, kernel):
    """All rows of guests of Innkeeper's."""
    # Two vCPUs share a CPU; most rows are of one of them alone.
    text = run_innkeeper(kernel, vcpus=2, guest="cpus=2 shared")
    for name, least, mean in rows_of(text):
        table.add(name + VIRTUAL if name in APIC_PAGE else name, INNKEEPER, least, mean)
    boot = BOOT.search(text)
    if boot:
        table.add("boot_to_guest", INNKEEPER, int(boot.group(1)))

    for name, least, mean in rows_of(run_innkeeper(kernel, cpus=2, vcpus=2, guest="cpus=2")):
        if name.startswith("ipi_"):
            table.add(name, INNKEEPER, least, mean)

    for name, least, mean in rows_of(run_innkeeper(kernel, cpu=BASE, cmdline="apicv=off")):
        if name in APIC_PAGE:
            table.add(name, INNKEEPER, least, mean)

    for name, least, mean in rows_of(run_innkeeper(kernel, cmdline="apicv=on")):
        if name in APIC:
            table.add(name + VIRTUAL, INNKEEPER, least, mean)

    measure_threads(table, kernel)


def measure_threads(table, kernel):
    text = run_selftest(kernel)
    switch = THREADS.search(text)
    if switch:
        table.add("thread_switch", INNKEEPER, int(switch.group(1)))
    for name, ticks in SELFTEST_ROW.findall(text):
        table.add(name, INNKEEPER, int(ticks))


GRUB_MENU = """\
set timeout=0
menuentry "bench" {{
    multiboot /boot/image {cmdline}
{modules}}}
"""


def make_bare_iso(path, image, cmdline, modules=()):
    """A disc on which GRUB boots a multiboot image with nothing between it and the machine."""
    with tempfile.TemporaryDirectory() as tree:
        boot = os.path.join(tree, "boot")
        os.makedirs(os.path.join(boot, "grub"))
        shutil.copyfile(image, os.path.join(boot, "image"))
        lines = ""
        for number, module in enumerate(modules):
            shutil.copyfile(module, os.path.join(boot, f"module{number}"))
            lines += f"    module /boot/module{number}\n"
        words = " ".join(map(build.quote, cmdline.split()))
        with open(os.path.join(boot, "grub", "grub.cfg"), "w", encoding="utf-8") as file:
            file.write(GRUB_MENU.format(cmdline=words, modules=lines))
        build.run_quietly(["grub-mkrescue", "-o", os.path.abspath(path), tree], "grub-mkrescue")


def run_bare(cpus, cmdline):
    """What the bench guest says on a machine of its own."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "bare.iso")
        make_bare_iso(iso, build.find_module(GUEST, {}), cmdline)
        with machine.Machine("bochs", iso, cpu=ACCELERATED, cpus=cpus, directory=directory,
                             config="port_e9_hack: enabled=1\n") as box:
            box.wait_end(TIMEOUT)
        with open(os.path.join(directory, "emulator.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()


def measure_bare(table):
    """The same rows, where no hypervisor is."""
    for cpus, cmdline in ((1, ""), (2, "cpus=2")):
        for name, least, mean in rows_of(run_bare(cpus, cmdline)):
            table.add(name, BARE, least, mean)
