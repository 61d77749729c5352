"""docs/performance.md: the table of a run of tools/bench, with what each row is."""

import datetime
import os
import subprocess

import build
from bench_table import BARE, INNKEEPER, KVM, ratio

PATH = os.path.join(build.ROOT, "docs", "performance.md")
JSON_PATH = os.path.join(build.ROOT, "docs", "performance.json")

INTRODUCTION = """\
# What everything costs

Written by `tools/bench --write-docs` on {date}, up to the heading "{notes}".

{versions}

All machines are emulated by Bochs, `corei7_skylake_x` unless a row says otherwise. The unit is a tick of
the TSC there: one an instruction, one an iteration of a repeated one. So these are counts of instructions, not
times: a real CPU takes some 1,000 to 2,000 cycles for an exit and the next entry alone, tens for each access to
the VMCS, and others of the rest. What the counts are good for is comparing: the same guests run as Innkeeper's,
as KVM's (the Debian kernel's, with its default mitigations and a small user of `/dev/kvm`,
tests/bench/kvm/) and on the bare machine, and a change of the code shows as it is.

Rows are the least of {rounds} rounds as the guest sees them, less what the measuring takes, unless they say
otherwise; [performance.json](performance.json) has the means, too, and serves `tools/bench --compare`. *KVM/Innkeeper* is how many times as much KVM takes.
"""

# What is written by hand begins here, and stays.
NOTES = "Where the ticks go"

# What each row is, in the order of the table; a name that begins with "#" is a heading.
ROWS = (
    ("# Instructions of the CPU", ""),
    ("empty_loop", "a loop of 1,000 rounds: two instructions each"),
    ("cpuid", "CPUID, leaf 0"),
    ("cpuid_1", "CPUID, leaf 1: it depends on the vCPU's state"),
    ("cpuid_4", "CPUID, leaf 4: by subleaf"),
    ("vmcall", "VMCALL with a number that nobody knows"),
    ("pause", "PAUSE"),
    ("invlpg", "INVLPG"),
    ("xsetbv", "XSETBV of what is set already"),
    ("cr8_read", "MOV from CR8"),
    ("cr8_write", "MOV to CR8"),
    ("cr3_reload", "MOV to CR3 of what it holds"),
    ("cr0_wp", "CR0.WP changed and back: the guest's own bit"),
    ("cr0_cd", "CR0.CD changed and back: two exits"),
    ("cr4_de", "CR4.DE changed and back: the guest's own bit"),
    ("cr4_osxsave", "CR4.OSXSAVE changed and back"),
    ("rdmsr", "RDMSR of IA32_APIC_BASE: emulated"),
    ("wrmsr", "WRMSR of IA32_MISC_ENABLE: emulated"),
    ("rdmsr_passed", "RDMSR of IA32_KERNEL_GS_BASE: passed through"),
    ("wrmsr_passed", "WRMSR of it"),
    ("page_fault", "a page fault and its handler, all the guest's"),
    ("# Devices", ""),
    ("pic_in", "IN from the 8259's mask register"),
    ("pic_out", "OUT to it"),
    ("pit_in", "IN from the 8254's counter"),
    ("unknown_in", "IN from a port that nothing is at"),
    ("unknown_out", "OUT to it"),
    ("uart_in", "IN from the serial port's status register"),
    ("uart_out", "OUT to its scratch register"),
    ("uart_send", "a character sent"),
    ("ioapic_read", "MMIO read of a redirection entry of the I/O APIC"),
    ("ioapic_write", "MMIO write of it"),
    ("# Local APIC by MMIO", "Without APIC virtualisation: `corei7_sandy_bridge_2600k`, `apicv=off`, and "
     "KVM's `flexpriority=0`. `_virtual`: with what the CPU has."),
    ("xapic_read", "read of the TPR"),
    ("xapic_write", "write of the TPR"),
    ("xapic_eoi", "EOI with nothing in service"),
    ("xapic_self_ipi", "an IPI to itself, to the end of its handler"),
    ("xapic_read_virtual", ""),
    ("xapic_write_virtual", ""),
    ("xapic_eoi_virtual", ""),
    ("xapic_self_ipi_virtual", ""),
    ("# Local APIC by MSR, interrupts", "No virtual-interrupt delivery, which neither Innkeeper (Bochs gets it "
     "wrong in corners) nor KVM (it wants posted interrupts, too) uses on this machine. `_virtual`: with it "
     "(`apicv=on`)."),
    ("x2apic_id", "read of the id"),
    ("x2apic_eoi", "EOI with nothing in service"),
    ("tsc_deadline", "IA32_TSC_DEADLINE set, far away"),
    ("self_ipi", "an IPI to itself by the SELF IPI register, to the end of its handler"),
    ("self_ipi_icr", "the same by the ICR"),
    ("irq_window", "the same with interrupts off, then STI, NOP"),
    ("self_ipi_hlt", "the same with interrupts off, then STI, HLT"),
    ("x2apic_eoi_virtual", ""),
    ("self_ipi_virtual", ""),
    ("self_ipi_icr_virtual", ""),
    ("irq_window_virtual", ""),
    ("self_ipi_hlt_virtual", ""),
    ("timer_latency", "from a TSC deadline to its handler's first instruction, guest running"),
    ("hlt_wake", "the same, guest in HLT"),
    ("# Two vCPUs", ""),
    ("ipi_other_cpu", "an IPI to a vCPU that runs on another CPU, to its handler's first instruction"),
    ("ipi_roundtrip", "the same and back by an IPI"),
    ("ipi_wake_other_cpu", "an IPI to a vCPU in HLT on another CPU, to its handler's first instruction; "
     "the sender halts"),
    ("ipi_roundtrip_hlt", "the same and back"),
    ("ipi_wake_same_cpu", "an IPI to a vCPU in HLT on the same CPU, to its handler's first instruction; the "
     "sender halts"),
    ("ipi_roundtrip_1cpu", "the same and back"),
    ("hlt_switch", "from a vCPU's HLT to the next instruction of the other one of its CPU, which was "
     "interrupted"),
    ("# The scheduler", "As the kernel's self-tests measure it (`selftest=threads`, `selftest=vcpus`): means of "
     "1,000 or more; `vcpu_wake` by the guest with what the test device tells it."),
    ("vcpu_switch", "from one vCPU's thread to the next that is ready, with the VMCS, the MSRs, debug and extended "
     "registers"),
    ("vcpu_wake", "from the moment when a halted vCPU is to run, on an idle CPU, to the first instruction of its "
     "handler"),
    ("thread_switch", "from one thread to the next that is ready"),
    ("thread_wake", "waking a thread of the same CPU"),
    ("thread_block", "from a thread's block to the next one that runs"),
    ("pick_10", "choosing the next of 10 that are ready"),
    ("pick_1000", "choosing the next of 1,000"),
    ("# Memory", ""),
    ("page_touch_2m", "the first touch of 2 MiB: the host clears and maps them"),
    ("page_touch_4k", "the first touches of all 4 KiB pages of 4 MiB: the mean of each"),
    ("vm_memory", "what a VM of one vCPU takes beside its guest's memory; page tables that map what was "
     "loaded are part of it"),
    ("vcpu_memory", "what one vCPU more takes"),
    ("# The kernel", ""),
    ("boot_to_guest", "from the kernel's first instruction to the first entry of a guest"),
    ("kernel_text", "code"),
    ("kernel_rodata", "constants"),
    ("kernel_data", "variables with values"),
    ("kernel_bss", "variables without"),
    ("kernel_loaded", "text, rodata and data"),
    ("# Management", "What a guest that computes all the time, the only VM, loses of its CPU to each: the mean of "
     "50 requests on one connection by TLS, of 10 connections for `https_handshake`, from the machine's own counts of "
     "time. Beside the answering it is all that comes with it: packets, interrupts, the switches between the guest "
     "and the network's thread. A few percent from run to run."),
    ("https_systems", "GET of the collection /redfish/v1/Systems"),
    ("https_system", "GET of a VM's /redfish/v1/Systems/NAME"),
    ("https_metrics", "GET of /metrics"),
    ("https_handshake", "a connection, its full handshake and its end, without a request"),
    ("# Accesses to the VMCS", "VMREADs and VMWRITEs of an exit with the next entry, the least of each kind; "
     "a kernel built with `-Dcount_vmcs=true` counts them."),
    ("# Linux", "Debian's kernel with a busybox RAM disk, {memory} MiB, one vCPU. All memory was touched before "
     "the workloads. One run each; in parentheses, how much more than bare. Fast string operations and XSAVE "
     "are turned off everywhere, as Linux does itself on the bare emulated machine: it would run other code with "
     "them."),
    ("linux_boot", "from the kernel's entry to init"),
    ("linux_sha256", "sha256sum of 32 MiB"),
    ("linux_gzip", "gzip of busybox, twice"),
    ("linux_fork_exec", "200 times fork, exec, wait"),
    ("linux_syscalls", "200,000 times getppid"),
    ("linux_shell", "a loop of the shell, 20,000 rounds"),
)
VMCS_PREFIX = "vmcs_"
LINUX_PREFIX = "linux_"


def said_by(*command):
    """First line of what a command says, if any; "unknown" if it fails."""
    try:
        done = subprocess.run(command, cwd=build.ROOT, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    lines = done.stdout.splitlines() or [""]
    return lines[0].strip() if done.returncode == 0 else "unknown"


def package(name):
    return said_by("dpkg-query", "-W", "-f", "${Version}\n", name)


def linux_release():
    """What the kernel of the guest images calls itself."""
    with open(os.path.join(build.IMAGES, "vmlinuz"), "rb") as file:
        header = file.read(0x10000)
    offset = int.from_bytes(header[0x20e:0x210], "little") + 0x200
    return header[offset:offset + 64].split(b" ")[0].decode("ascii", "replace")


def versions():
    changed = ", with changes" if said_by("git", "status", "--porcelain") else ""
    return "\n".join((
        "| | |", "|---|---|",
        f"| Innkeeper | commit {said_by('git', 'rev-parse', '--short=12', 'HEAD')}{changed} |",
        f"| Bochs | {package('bochs')} |",
        f"| compiler | {said_by('gcc', '--version')} |",
        f"| Linux, as a guest and with KVM | {linux_release()} |",
        "| command | `tools/bench --write-docs` |"))


def number(row, place):
    if place not in row:
        return ""
    unit = f" {row['unit']}" if row["unit"] == "bytes" else ""
    return f"{row[place]:,}{unit}"


def over_bare(row, place):
    """How much more than on the bare machine, in percent."""
    if place not in row or not row.get(BARE):
        return ""
    return f" ({row[place] / row[BARE] - 1:+.1%})"


def line(name, row, what):
    cells = [number(row, place) for place in (INNKEEPER, KVM, BARE)]
    if name.startswith(LINUX_PREFIX):
        cells[0] += over_bare(row, INNKEEPER)
        cells[1] += over_bare(row, KVM)
    return f"| `{name}` | " + " | ".join(cells) + f" | {ratio(row).strip('-')} | {what} |"


def sections(table, memory):
    """The rows under their headings."""
    rows = dict(table.rows)
    lines = []
    for name, what in ROWS:
        if name.startswith("#"):
            lines += ["", f"#{name}", ""]
            if what:
                lines += [what.format(memory=memory), ""]
            lines += ["| row | Innkeeper | KVM | bare | KVM/Innkeeper | what |",
                      "|---|--:|--:|--:|--:|---|"]
            if "VMCS" in name:
                lines += [line(each, rows.pop(each), "") for each in list(rows)
                          if each.startswith(VMCS_PREFIX)]
        elif name in rows:
            lines.append(line(name, rows.pop(name), what))
    return lines, rows


def exits(table):
    lines = ["", "## Exits of Linux, by reason", "",
             "Innkeeper's by its kinds of exits, KVM's by its own counters, which overlap: `exits` is all.", "",
             "| workload | Innkeeper | KVM |", "|---|---|---|"]
    for workload, places in table.exits.items():
        cells = [", ".join(f"{reason} {count:,}" for reason, count in
                           sorted(places.get(place, {}).items(), key=lambda pair: -pair[1]))
                 for place in (INNKEEPER, KVM)]
        lines.append(f"| `{workload}` | " + " | ".join(cells) + " |")
    return lines


def notes():
    """The hand-written end of the document as it is."""
    try:
        with open(PATH, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return ""
    heading = f"\n## {NOTES}\n"
    return text[text.index(heading):] if heading in text else ""


def write(table, rounds, memory):
    """Writes the document, and the table as JSON beside it."""
    lines, rest = sections(table, memory)
    if rest:
        raise build.BuildError(f"docs/performance.md does not know the rows {', '.join(rest)}")
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    text = INTRODUCTION.format(date=date, versions=versions(), rounds=rounds, notes=NOTES)
    text += "\n".join(lines + exits(table)) + "\n" + notes()
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(text)
    table.save(JSON_PATH)
