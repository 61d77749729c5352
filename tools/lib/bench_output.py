"""What the guests of tools/bench print, and the kernel about them."""

import re

import machine

# Innkeeper puts a VM's name before what it prints.
PREFIX = r"^(?:\w+\| )?"

ROW = re.compile(PREFIX + r"row (\S+) (\d+) (\d+)$", re.MULTILINE)
FAILURE = re.compile(PREFIX + r"FAIL .*$", re.MULTILINE)
FINISHED = re.compile(PREFIX + r"done: \d+ passed, 0 failed$", re.MULTILINE)

# Linux as a guest of Innkeeper's reads the exits of a workload itself; KVM's launcher prints them
# before the row that the guest prints next.
EXITS = re.compile(PREFIX + r"exits (linux_\w+)((?: \w+=\d+)*)$", re.MULTILINE)
KVM_EXITS = re.compile(r"^exits((?: \w+=\d+)*)\nrow (linux_\w+) ", re.MULTILINE)

FIRST_ENTRY = re.compile(r"first VM entry (\d+) ticks after the first instruction")
VM_MEMORY = re.compile(r"the first VM took (\d+) bytes beside its memory")
VMCS_ACCESSES = re.compile(r"VMCS accesses, reads\+writes:((?: \w+=\d+\+\d+)+)")

THREAD_SWITCH = re.compile(r"selftest threads: (\d+) ticks a switch")
VCPU_SWITCH = re.compile(r"selftest vcpus: (\d+) ticks a switch")
THREAD_WAKE = re.compile(r"selftest threads: (\d+) ticks to wake")
THREAD_BLOCK = re.compile(r"ticks to wake, (\d+) from a block to the next")
PICK = re.compile(r"selftest threads: (\d+) ticks a pick with (\d+) runnable")


def rows(text, guests=1):
    """(name, least, mean) of each row of the guests that printed `text`, all of which must have
    come to a good end."""
    failures = FAILURE.findall(text)
    if failures or len(FINISHED.findall(text)) < guests:
        what = "\n".join(failures) or "\n".join(text.splitlines()[-5:])
        raise machine.MachineError(f"a guest of the bench did not finish well:\n{what}")
    return [(name, int(least), int(mean)) for name, least, mean in ROW.findall(text)]


def exits(text):
    """Workload -> {reason: count}."""
    found = dict(EXITS.findall(text))
    found.update((name, counts) for counts, name in KVM_EXITS.findall(text))
    return {name: {reason: int(count) for reason, count in
                   (pair.split("=") for pair in counts.split())}
            for name, counts in found.items()}


def kernel_rows(text):
    """(name, value, unit) of what Innkeeper's kernel says of itself."""
    found = []
    for name, pattern in (("boot_to_guest", FIRST_ENTRY), ("thread_switch", THREAD_SWITCH),
                          ("vcpu_switch", VCPU_SWITCH),
                          ("thread_wake", THREAD_WAKE), ("thread_block", THREAD_BLOCK)):
        match = pattern.search(text)
        if match:
            found.append((name, int(match.group(1)), "ticks"))
    found += [(f"pick_{count}", int(ticks), "ticks") for ticks, count in PICK.findall(text)]
    match = VMCS_ACCESSES.search(text)
    if match:
        for pair in match.group(1).split():
            kind, _, count = pair.partition("=")
            reads, _, writes = count.partition("+")
            found.append((f"vmcs_{kind}", int(reads) + int(writes), "accesses"))
    return found
