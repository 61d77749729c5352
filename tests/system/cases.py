"""The system tests: a booted ISO on an emulated machine, looked at from outside."""

import json
import re
import time

ACCELERATED = "corei7_skylake_x"   # APIC virtualisation, all of it
BASE = "corei7_sandy_bridge_2600k"  # EPT and the TPR shadow, no more
NO_EPT = "core2_penryn_t9600"

PANIC = r"panic: |exception \d+"
PROMPT = r"linux\| .*# $"
# Attached, the shell's cursor query is not taken out.
RAW_PROMPT = r"# (\x1b\[6n)?$"
LINUX = "tests/system/linux.json"


def check(condition, text):
    if not condition:
        raise AssertionError(text)


# Boot: every way into the kernel, and what it says on machines that cannot run guests.

def refused(box, pattern):
    """The refusal comes, and the kernel stays up: a key still gets an answer."""
    box.expect(r"no VM can run on this machine: .*" + pattern, 120, reject=PANIC)
    time.sleep(2)
    check(box.process.poll() is None, "the machine did not stay up")
    box.send("\r")
    box.expect(r"\[Ctrl-\] then a number attaches", 20)


def boot_bios_bochs(context):
    box = context.boot("bochs", cmdline="on-stop=poweroff")
    box.expect(r"VT-x is on", 120, reject=PANIC)
    box.expect(r"no VM description", 20, reject=PANIC)


def boot_bios_qemu(context):
    refused(context.boot("qemu", vms=LINUX, modules={"vmlinuz": __file__, "initrd": __file__},
                         cpu="max,-svm", memory=512), "no VT-x")


def boot_uefi_qemu(context):
    refused(context.boot("qemu", uefi=True, cpu="max,-svm", memory=512), "no VT-x")


def boot_amd(context):
    refused(context.boot("qemu", cpu="EPYC", memory=512), "AMD-V")


def boot_no_ept(context):
    refused(context.boot("bochs", cpu=NO_EPT), "EPT")


def boot_no_long_mode(context):
    box = context.boot("qemu", cpu="pentium3", memory=512)
    box.expect(r"no 64-bit mode", 60)
    time.sleep(1)
    check(box.process.poll() is None, "the machine did not stay up")


def boot_many_cpus(context):
    box = context.boot("bochs", cpus=4, vms="tests/guests/shutdown.json")
    box.expect(r"all VMs have stopped", 120, reject=PANIC)


def selftest(kind, pattern, uefi=False):
    def case(context):
        box = context.boot("qemu", cmdline=f"selftest={kind}", memory=512, uefi=uefi)
        box.expect(pattern, 60)
        # A symbolised backtrace: which function it was in.
        box.expect(r"#\d+ .*\b\w+\+0x[0-9a-f]+", 20)
    return case


def selftest_threads(context):
    """Wake-ups, sleeps, ends and the mutex, on several CPUs."""
    box = context.boot("bochs", cmdline="selftest=threads", cpus=4)
    box.expect(r"selftest threads: passed on 4 CPUs", 200, reject=PANIC + "|selftest.*FAILED")


SELFTESTS = {
    "fault-write-text": "page fault",
    "fault-write-text-alias": "page fault",
    "fault-write-rodata": "page fault",
    "fault-exec-data": "page fault",
    "fault-exec-direct-map": "page fault",
    "fault-null": "page fault",
    "fault-stack": "double fault",
    "fault-stack-alloc": "the guard page of a stack",
    "fault-divide": "divide error",
    "nmi": "NMI",
}


# VM descriptions and images.

def bad_descriptions(context):
    """Each wrong VM is refused with file, position and reason; the right one runs."""
    vms = context.file("mixed.json", """{"vms": [
  {"name": "typo", "memroy": "16M", "multiboot": {"image": "shutdown.elf"}},
  {"name": "huge", "memory": "999T", "multiboot": {"image": "shutdown.elf"}},
  {"name": "gone", "memory": "16M", "multiboot": {"image": "no-such-module"}},
  {"name": "broken", "memory": "16M", "multiboot": {"image": "broken.elf"}},
  {"name": "fine", "memory": "16M",
   "multiboot": {"image": "shutdown.elf", "cmdline": "debug-exit"}}
]}""")
    broken = context.file("broken.elf", "this is no multiboot image\n" * 400)
    box = context.boot("bochs", vms=vms, modules={"broken.elf": broken})
    box.expect(r"mixed\.json:2:\d+: .*memroy", 120, reject=PANIC)
    box.expect(r"mixed\.json:3:\d+: .*999T", 20, reject=PANIC)
    box.expect(r"vm gone: no-such-module: ", 20, reject=PANIC)
    box.expect(r"vm broken: broken\.elf: ", 20, reject=PANIC)
    box.expect(r"vm fine stopped: debug-exit 0x31", 60, reject=PANIC)


def broken_json(context):
    vms = context.file("broken.json", '{"vms": [\n  {"name": "x",, }\n]}')
    box = context.boot("bochs", vms=vms)
    box.expect(r"broken\.json:2:\d+: ", 120, reject=PANIC)


def too_much_memory(context):
    vms = context.file("large.json", '{"vms": [{"name": "large", "memory": "64G", '
                       '"multiboot": {"image": "shutdown.elf", "cmdline": "debug-exit"}}]}')
    box = context.boot("bochs", vms=vms)
    box.expect(r"vm large: no memory: wants 65536 MiB, \d+ MiB are free", 120, reject=PANIC)


# Bare-metal guests.

def check_guest(box, name):
    """A test guest comes to its end: all its checks pass and it says so."""
    end = box.expect(rf"vm {name} stopped: .*\n", 240, reject=PANIC).group(0)
    failed = [line for line in box.text.splitlines() if "| FAIL" in line]
    check(not failed, "\n".join(failed))
    check("debug-exit 0x0" in end, end)
    passed = box.text.count("| PASS")
    check(passed > 0, "the guest ran no test")
    check(f"done: {passed} passed, 0 failed" in box.text, "the guest's count is off")


def guest(image, cpu, cmdline=""):
    def case(context):
        check_guest(context.boot("bochs", vms=f"tests/guests/{image}.json", cpu=cpu,
                                 cmdline=cmdline), image)
    return case


def smp_guest(cpu, cpus, vcpus=4, cmdline=""):
    """The guest that uses several vCPUs is told how many CPUs it shares."""
    def case(context):
        vms = context.file("smp.json", f"""{{"vms": [
  {{"name": "smp", "memory": "16M", "vcpus": {vcpus}, "test-device": true,
   "multiboot": {{"image": "smp.elf", "cmdline": "host-cpus={cpus}"}}}}]}}""")
        check_guest(context.boot("bochs", vms=vms, cpu=cpu, cpus=cpus, cmdline=cmdline), "smp")
    return case


ENDINGS = {
    "debug-exit": r"debug-exit 0x31",
    "triple-fault": r"triple fault",
    "power-off": r"power-off",
    "undecodable": r"cannot emulate the instruction at rip 0x[0-9a-f]+ .*: [0-9a-f ]+",
}
RESETS = ("reset-cf9", "reset-i8042", "reset-92")


def endings(context):
    """Every way a VM can end is told by its right name, and disturbs nobody else."""
    vms = [f'{{"name": "{name}", "memory": "16M", "multiboot": '
           f'{{"image": "shutdown.elf", "cmdline": "{name}"}}}}' for name in ENDINGS]
    box = context.boot("bochs", vms=context.file("endings.json",
                                                 '{"vms": [' + ",\n".join(vms) + "]}"))
    box.expect(r"all VMs have stopped", 120, reject=PANIC)
    for name, ending in ENDINGS.items():
        box.offset = 0
        box.expect(rf"vm {name} stopped: {ending}", 1)
        box.expect(rf"vm {name} exits: \d+", 1)


def resets(context):
    """A guest that resets itself starts again, from fresh memory; the log is not filled by it."""
    vms = [f'{{"name": "{name}", "memory": "16M", "multiboot": '
           f'{{"image": "shutdown.elf", "cmdline": "{name}"}}}}' for name in RESETS]
    box = context.boot("bochs", vms=context.file("resets.json",
                                                 '{"vms": [' + ",\n".join(vms) + "]}"))
    for name in RESETS:
        box.offset = 0
        box.expect(rf"vm {name}: reset, number 1\n", 120, reject=PANIC)
        number = int(box.expect(rf"vm {name}: reset, number (\d+)\n", 60, reject=PANIC).group(1))
        check(number > 2, "every reset is in the log")


def greedy(kind, cpu):
    """A guest that spins with interrupts off, or only exits, keeps nobody from running."""
    def case(context):
        vms = context.file("greedy.json", f"""{{"vms": [
  {{"name": "greedy", "memory": "16M", "multiboot": {{"image": "shutdown.elf", "cmdline": "{kind}"}}}},
  {{"name": "other", "memory": "16M", "multiboot": {{"image": "cpu.elf"}}}}]}}""")
        box = context.boot("bochs", vms=vms, cpu=cpu)
        box.expect(r"vm other stopped: debug-exit 0x0", 240, reject=PANIC)
        box.send("\r")
        box.expect(r"\[1: greedy\]", 30)
    return case


def shares(guests, expected, length=5):
    """What guests that never sleep had of one CPU, by their own count. `guests`: kind of work and
    the description's "sched"; `expected`: least and most of it in percent."""
    def case(context):
        vms = {"vms": [
            {"name": f"{kind}{number}", "memory": "16M", "sched": sched,
             "multiboot": {"image": "share.elf", "cmdline": f"{kind} length={length}"}}
            for number, (kind, sched) in enumerate(guests)]}
        box = context.boot("bochs", vms=context.file("shares.json", json.dumps(vms)), cpus=1)
        box.expect(r"all VMs have stopped", 400, reject=PANIC)
        for number, (kind, _) in enumerate(guests):
            had = re.search(rf"^{kind}{number}\| {kind} had (\d+) of 10000 parts", box.text,
                            re.MULTILINE)
            check(had, f"{kind}{number} did not say what it had")
            percent = int(had.group(1)) / 100
            low, high = expected[number]
            check(low <= percent <= high,
                  f"{kind}{number} had {percent} %, not {low} to {high} %")
    return case


def keys_wake(context):
    """What is typed wakes a guest that nothing else would wake, to the last of many keys."""
    vms = context.file("keys.json", '{"vms": [{"name": "keys", "memory": "16M", "multiboot": '
                       '{"image": "shutdown.elf", "cmdline": "count-keys"}}]}')
    box = context.boot("bochs", vms=vms)
    box.expect(r"ends by count-keys", 120, reject=PANIC)
    attach(box)
    box.send("\r")
    box.expect(r"^1 keys", 20)
    box.send("x" * 99 + "\r")
    box.expect(r"^100 keys", 20)


def broken_state(context):
    """A VM entry that fails is explained by the rule that was broken; the host lives."""
    count = 6
    vms = [f'{{"name": "broken{i}", "memory": "16M", "test-device": true, "multiboot": '
           f'{{"image": "shutdown.elf", "cmdline": "break-state={i}"}}}}' for i in range(count)]
    vms.append('{"name": "fine", "memory": "16M", "multiboot": '
               '{"image": "shutdown.elf", "cmdline": "debug-exit"}}')
    box = context.boot("bochs", vms=context.file("broken-state.json",
                                                 '{"vms": [' + ",\n".join(vms) + "]}"))
    box.expect(r"all VMs have stopped", 120, reject=PANIC)
    rules = set()
    for i in range(count):
        box.offset = 0
        rules.add(box.expect(rf"vm broken{i} stopped: VM entry failed: (.+)", 1).group(1))
    check(len(rules) == count, f"{count} broken fields, but only these rules: {rules}")
    box.offset = 0
    box.expect(r"vm fine stopped: debug-exit", 1)


def power_off(context):
    """on-stop=poweroff ends the machine when the last VM has stopped."""
    box = context.boot("bochs", vms="tests/guests/shutdown.json", cmdline="on-stop=poweroff")
    box.expect(r"all VMs have stopped", 120, reject=PANIC)
    box.wait_end(30)


def bench_guest(context):
    """The guest of tools/bench comes to its end, with a row from each of its files."""
    vms = context.file("bench.json", '{"vms": [{"name": "bench", "memory": "64M", "vcpus": 2, '
                       '"multiboot": {"image": "bench.elf", "cmdline": "cpus=2 shared"}}]}')
    box = context.boot("bochs", vms=vms, cpus=1)
    end = box.expect(r"vm bench stopped: .*\n", 240, reject=PANIC + r"|bench\| FAIL").group(0)
    check("debug-exit 0x0" in end, end)
    for row in ("cpuid", "pic_in", "page_touch_2m", "self_ipi_hlt", "hlt_switch"):
        check(f"| row {row} " in box.text, f"no row {row}")


# The console's commands, and what they do to VMs.

def vm(name, image, cmdline="", **keys):
    """A VM of a bare-metal guest, as JSON."""
    return json.dumps({"name": name, "memory": "16M",
                       "multiboot": {"image": image, "cmdline": cmdline}, **keys})


def described(context, *vms):
    return context.file("described.json", '{"vms": [' + ",\n".join(vms) + "]}")


def command(box, line, pattern, timeout=60):
    box.send(line + "\r")
    return box.expect(pattern, timeout, reject=PANIC)


def console_commands(context):
    """What is listed is what there is, and fits 80 columns."""
    box = context.boot("bochs", vms=described(
        context, vm("spin", "shutdown.elf", "spin"), vm("sleeps", "shutdown.elf", "count-keys"),
        vm("later", "shutdown.elf", "debug-exit", autostart=False, vcpus=3)))
    box.expect(r"sleeps\| ends by", 120, reject=PANIC)
    command(box, "vms", r"1 spin +running +1 +16 MiB +\d+\.\d+ s +[1-9]\d*\n"
            r" 2 sleeps +running +1 .*\n 3 later +defined +3 +16 MiB +0\.000 s +0\n")
    command(box, "vcpus later", r"later +0 stopped +- .*\nlater +1 .*\nlater +2 ")
    command(box, "vcpus sleeps", r"sleeps +0 halted +\d+ ")
    command(box, "exits spin", r"REASON .*\ninterrupted +[1-9]\d* +\d+\.\d%(.*\n)+io +[1-9]")
    command(box, "exits spin io", r"TICKS +EXITS\n( +\d+K? to \d+K? +\d+ #*\n)+")
    command(box, "exits nobody", r'no VM is called "nobody"; there are: spin, sleeps, later')
    command(box, "nonsense", r'there is no command "nonsense"')
    command(box, "log 3", r"(\[ .*\n){3}innkeeper> ")
    # The table's first second may hold the commands before.
    command(box, "top", r"USE\nspin +0 \w+ +\d+ ")
    use = float(box.expect(r"USE\nspin +0 \w+ +\d+ +(\d+\.\d)%", 60).group(1))
    box.send("q")
    check(use > 95, f"who spins alone has {use} % of the CPU")
    command(box, "he\t", r"reboot +starts this machine")
    box.send("\x1b[A\x15start la\t")
    box.expect(r"start later $", 20)
    command(box, "", r"vm later stopped: debug-exit 0x31")
    command(box, "vms", r"3 later +stopped +3 ")
    wide = [line for line in box.text.splitlines()
            if len(line) > 80 and not line.startswith("[")]
    check(not wide, "wider than 80 columns: " + "\n".join(wide))


def console_many(context):
    """Any VM can be attached by its name; a number is for the first nine."""
    vms = [vm(f"vm{i}", "shutdown.elf", "count-keys") for i in range(1, 13)]
    box = context.boot("bochs", vms=described(context, *vms))
    box.expect(r"vm12\| ends by", 120, reject=PANIC)
    command(box, "attach vm12", r"\[attached to vm12;")
    command(box, "abc", r"^4 keys")
    box.send("\x1d0")
    box.expect(r"\[detached from vm12\]", 20)
    attach(box, 9)
    command(box, "", r"^1 keys")


CLOCKS = r"clocks: TSC (\d+) ms, PM timer (\d+) ms, 8254 (\d+) ms, longest gap (\d+) ms"


def clocks(box, name):
    """What the guest's clocks show; they agree, and none ever stood still or jumped."""
    command(box, f"attach {name}", r"\[attached to ")
    tsc, pm_timer, pit, gap = map(int, command(box, "", CLOCKS).groups())
    box.send("\x1d0")
    box.expect(r"\[detached from ", 20)
    # Ticks that come while another guest has the CPU are merged.
    check(abs(tsc - pm_timer) <= 5 and tsc * 0.9 - 30 <= pit <= tsc + 30,
          f"clocks: {tsc}, {pm_timer}, {pit}")
    check(gap < 200, f"a clock jumped by {gap} ms")
    return tsc


def host_time(box, pattern):
    """When the log says so, in seconds."""
    return float(box.expect(r"^\[ *(\d+\.\d+)\] info: " + pattern, 60, reject=PANIC).group(1))


def life_cycle(cpus):
    def case(context):
        box = context.boot("bochs", cpus=cpus, vms=described(
            context, vm("life", "life.elf", vcpus=3), vm("other", "life.elf"),
            vm("crash", "shutdown.elf", "triple-fault", autostart=False)))
        box.expect(r"other\| alive", 120, reject=PANIC)
        before = clocks(box, "life")
        # A pause that the guest does not notice.
        box.send("pause life\r")
        paused = host_time(box, "vm life: paused")
        command(box, "vms", r"1 life +paused ")
        command(box, "stop life", r"shell: stop life: it is paused")
        time.sleep(4)
        box.send("resume life\r")
        length = (host_time(box, "vm life: resumed") - paused) * 1000
        after = clocks(box, "life")
        elsewhere = clocks(box, "other")
        check(length > 500, f"the pause was only {length} ms long")
        check(after - before < elsewhere - length / 2,
              f"{before} ms before, {after} ms after a pause of {length} ms; {elsewhere} ms without")
        # Back to back: one is asked for before the other has come to be.
        box.send("pause life\rresume life\r" * 8)
        command(box, "vms", r"1 life +running ")
        clocks(box, "life")
        # A crash is its own.
        command(box, "start crash", r"vm crash stopped: triple fault")
        command(box, "vms", r"1 life +running .*\n 2 other +running .*\n 3 crash +stopped ")
        # Reset and power button, in any state.
        command(box, "reset life", r"life\| alive")
        check(clocks(box, "life") < after + 2000, "the clock began anew")
        command(box, "stop life", r"life\| the power button was pressed")
        box.expect(r"vm life stopped: power-off", 20, reject=PANIC)
        command(box, "pause life", r"shell: pause life: it does not run")
        command(box, "start life", r"life\| alive")
        command(box, "pause life", r"life: paused")
        command(box, "reset life", r"life: reset")
        command(box, "vms", r"1 life +paused ")
        command(box, "resume life", r"life\| alive")
        command(box, "delete life", r"shell: delete life: it runs")
        command(box, "pause life", r"life: paused")
        command(box, "kill life", r"vm life stopped: killed")
        command(box, "delete life", r"life: deleted")
        command(box, "start life", r'no VM is called "life"; there are: other, crash')
        command(box, "define life", r"life: defined")
        command(box, "start life", r"life\| alive")
        clocks(box, "other")
    return case


def cycles(image, cmdline, vcpus, cpus):
    """VMs are made, disturbed and killed many times over, and all memory comes back."""
    def case(context):
        box = context.boot("bochs", cpus=cpus, cmdline="vm-cycles=200", vms=described(
            context, vm("cycle", image, cmdline, vcpus=vcpus, autostart=False)))
        end = box.expect(r"vm-cycles: .*(frames|failed).*\n", 300, reject=PANIC).group(0)
        check("all came back" in end, end)
    return case


# Linux.

def attach(box, number=1):
    box.send(f"\x1d{number}")
    box.expect(r"\[attached to ", 20)


def linux(cpu, vms=LINUX, cmdline=""):
    """Debian's kernel to a shell; what is typed is answered; poweroff ends the VM."""
    def case(context):
        box = context.boot("bochs", vms=vms, cpu=cpu, cmdline=cmdline)
        box.expect(PROMPT, 400, reject=PANIC + r"|Kernel panic")
        log = box.text
        for complaint in ("Call Trace", "BUG:", "ACPI Error", "ACPI BIOS Error",
                          "unstable", "timer doesn't work"):
            check(complaint not in log, f"the guest's kernel says {complaint!r}")
        attach(box)
        box.send("echo $((6 * 7)); uname -a; ls /\r")
        box.expect(r"^42$", 30)
        box.expect(r"^Linux .* x86_64 GNU/Linux$", 30)
        box.expect(r"\bproc\b", 30)
        box.send("cat /proc/cpuinfo\r")
        box.expect(r"^flags\s*:.* hypervisor\b", 30)
        box.send("cat /proc/interrupts\r")
        box.expect(r"LOC: +[1-9]\d*", 30)
        box.send("poweroff\r")
        box.expect(r"vm linux stopped: power-off", 120, reject=PANIC)
        box.expect(r"vm linux exits: \d+", 10)
    return case


def linux_reboot(context):
    box = context.boot("bochs", vms="tests/system/linux-pvh.json")
    box.expect(PROMPT, 400, reject=PANIC)
    attach(box)
    box.send("reboot\r")
    box.expect(r"vm linux: reset", 120, reject=PANIC)
    box.expect(r"Linux version", 200, reject=PANIC)
    box.expect(RAW_PROMPT, 400, reject=PANIC)


def linux_stop(context):
    """It listens to its power button."""
    box = context.boot("bochs", vms="tests/system/linux-pvh.json")
    box.expect(PROMPT, 400, reject=PANIC)
    command(box, "stop linux", r"vm linux: power button pressed")
    box.expect(r"vm linux stopped: power-off", 120, reject=PANIC)


def two_guests(context):
    """Two SMP Linux guests at once on two CPUs: both come to a shell, and each console is its own."""
    box = context.boot("bochs", vms="tests/system/two-linux.json", cpus=2)
    first = box.expect(r"(one|two)\| .*# $", 900, reject=PANIC).group(1)
    other = "two" if first == "one" else "one"
    if not re.search(rf"^{other}\| .*# $", box.text, re.MULTILINE):
        box.expect(rf"{other}\| .*# $", 900, reject=PANIC)
    attach(box, 2)
    box.send("hostname second; echo $(hostname) has $(nproc)\r")
    box.expect(r"^second has 2$", 60)
    attach(box, 1)
    box.send("echo $(hostname)-first has $(nproc)\r")
    box.expect(r"^(?!second).*-first has 2$", 60)
    # Eight busy processes in one guest are two busy vCPUs: a third one gets two thirds of a CPU.
    attach(box, 2)
    box.send("for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; echo lo''aded\r")
    box.expect(r"^loaded", 60)
    attach(box, 1)
    box.send("time sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'\r")
    took = box.expect(r"real\s+(\d+)m ([\d.]+)s\s+user\s+(\d+)m ([\d.]+)s", 400)
    real, user = (int(took.group(n)) * 60 + float(took.group(n + 1)) for n in (1, 3))
    check(real < 1.8 * user, f"{real} s for {user} s of work, with two thirds of a CPU")
    # A pause under that load, which its kernel must not notice; the other one goes on.
    box.send("\x1d0")
    command(box, "pause two", r"two: paused")
    command(box, "vcpus two", r"two +0 paused .*\ntwo +1 paused ")
    command(box, "attach one", r"\[attached to one;")
    command(box, "uptime | sed 's/^/one: /'", r"^one: .*load")
    time.sleep(10)
    box.send("\x1d0")
    command(box, "resume two", r"two: resumed")
    command(box, "attach two", r"\[attached to two;")
    command(box, "dmesg | grep -c -i -E 'stall|lockup|unstable|hung'", r"^0$")
    box.send("\x1d0")
    command(box, "kill one", r"vm one stopped: killed")
    command(box, "kill two", r"vm two stopped: killed")
    box.expect(r"all VMs have stopped", 20, reject=PANIC)


def all_cases():
    """(name, function) in the order to run them: the longest first."""
    import cases_access  # which use what is above
    import cases_http
    import cases_machine
    import cases_net
    import cases_page
    import cases_redfish
    import cases_tls

    yield "linux: bzImage, latest CPU", linux(ACCELERATED)
    yield "linux: bzImage, base", linux(BASE)
    yield "linux: PVH, no APIC virtualisation", linux(ACCELERATED,
                                                      vms="tests/system/linux-pvh.json",
                                                      cmdline="apicv=off")
    yield "linux: two at once", two_guests
    yield "linux: reboot", linux_reboot
    yield "linux: power button", linux_stop
    for image in ("cpu", "interrupts", "memory", "io", "events"):
        yield f"guest: {image}, accelerated", guest(image, ACCELERATED, "apicv=on")
        yield f"guest: {image}, base", guest(image, BASE)
    yield "guest: smp on 4 CPUs", smp_guest(ACCELERATED, 4)
    yield "guest: smp on 2 CPUs, base", smp_guest(BASE, 2, vcpus=2)
    # Three share two CPUs fairly only by moving: thousands of times here.
    yield "guest: smp, 3 vCPUs on 2 CPUs", smp_guest(ACCELERATED, 2, vcpus=3, cmdline="apicv=off")
    yield "guest: smp on 1 CPU", smp_guest(ACCELERATED, 1)
    yield "guest: smp, one vCPU", smp_guest(ACCELERATED, 1, vcpus=1)
    yield "guest: interrupts, APIC accesses only", guest("interrupts", ACCELERATED)
    yield "guest: interrupts, apicv=off", guest("interrupts", ACCELERATED, "apicv=off")
    yield "guest: events, apicv=off", guest("events", ACCELERATED, "apicv=off")
    for kind in ("spin", "exit-flood", "exit-flood-cli"):
        yield f"guest: greedy {kind}", greedy(kind, ACCELERATED)
    yield "guest: greedy spin, base", greedy("spin", BASE)
    yield "guest: weights 1 and 3", shares([("compute", {"weight": 100}),
                                            ("compute", {"weight": 300})], [(24, 26), (74, 76)])
    yield "guest: cap", shares([("compute", {"cap": 20}), ("compute", {})], [(19, 21), (78, 81)], 1)
    yield "guest: cap, alone", shares([("compute", {"cap": 20})], [(19, 21)], 1)
    yield "guest: spinners", shares([("compute", {}), ("cpuid", {}), ("vmcall", {}), ("pause", {})],
                                    [(24, 26)] * 4, 1)
    yield "guest: endings", endings
    yield "guest: resets", resets
    yield "guest: keys wake it", keys_wake
    yield "guest: broken state", broken_state
    yield "life: one CPU", life_cycle(1)
    yield "life: two CPUs", life_cycle(2)
    yield "life: 200 cycles", cycles("shutdown.elf", "exit-flood", 3, 2)
    yield "life: 200 cycles of an SMP VM", cycles("smp.elf", "", 4, 4)
    yield "life: 200 cycles of a spinning VM on one CPU", cycles("shutdown.elf", "spin", 2, 1)
    yield from cases_net.all_cases()
    yield from cases_tls.all_cases()
    yield from cases_machine.all_cases()
    yield from cases_access.all_cases()
    yield from cases_http.all_cases()
    yield from cases_page.all_cases()
    yield from cases_redfish.all_cases()
    yield "console: commands", console_commands
    yield "console: many VMs", console_many
    yield "boot: BIOS, Bochs", boot_bios_bochs
    yield "boot: BIOS, QEMU", boot_bios_qemu
    yield "boot: UEFI, QEMU", boot_uefi_qemu
    yield "boot: AMD", boot_amd
    yield "boot: no EPT", boot_no_ept
    yield "boot: four CPUs", boot_many_cpus
    yield "boot: bad descriptions", bad_descriptions
    yield "boot: broken JSON", broken_json
    yield "boot: too much memory", too_much_memory
    yield "boot: power off", power_off
    yield "guest: bench", bench_guest
    yield "boot: no long mode", boot_no_long_mode
    yield "boot: threads", selftest_threads
    for kind, pattern in SELFTESTS.items():
        yield f"boot: {kind}", selftest(kind, pattern)
    yield "boot: fault-null, UEFI", selftest("fault-null", SELFTESTS["fault-null"], uefi=True)
