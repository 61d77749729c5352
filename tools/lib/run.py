"""tools/run: builds Innkeeper and boots it in an emulator with real guests."""

import argparse
import os
import re
import select
import socket
import sys
import tempfile
import termios
import threading
import time
import tty

import build
import ending
import machine

QUIT = b"\x01"  # Ctrl-A, as in QEMU's own terminal mode

HTTPS = 443  # of the machine
HTTPS_OUTSIDE = 8443
REACHABLE = re.compile(r"net: address \d+\.\d+\.\d+\.\d+")
LOGIN = re.compile(r"Login for the network: user (\S+), password (\S+)")

EPILOG = """\
The terminal is the machine's serial console. The kernel prints which keys attach it to a guest.
Ctrl-A x ends the emulator, Ctrl-A Ctrl-A sends a Ctrl-A.

Modules that the VM description names are looked up among --module, the guest images that were made from
Debian packages (vmlinuz, vmlinux, initrd) and the test guests.

The screen of Bochs can be watched with a VNC viewer, on display 0 (port 5900) or the next free one.

examples:
  tools/run                                    a Linux guest in Bochs
  tools/run --vms my.json --module disk=a.img  your own description with your own images
  tools/run --cpu core2_penryn_t9600           a machine whose VT-x is too old: see the refusal
  tools/run --machine qemu --uefi              boot by UEFI (no VT-x there without KVM)
  tools/run --forward tcp:8007:7 --cmdline net-echo   nc localhost 8007 gets back what it sends
  tools/run --cmdline "$(tools/password)"      an account of yours instead of one with a random password
"""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/run", description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", choices=("auto", "bochs", "qemu"), default="auto",
                        help="auto (default): QEMU where VT-x really is there, else Bochs")
    parser.add_argument("--cpu", metavar="MODEL",
                        help="CPU model (bochs --help cpu, qemu-system-x86_64 -cpu help)")
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--memory", type=int, default=1024, metavar="MiB")
    parser.add_argument("--vms", metavar="FILE.json",
                        default=os.path.join(build.ROOT, "tools", "linux.json"),
                        help="VM descriptions (default: tools/linux.json)")
    parser.add_argument("--module", action="append", default=[], metavar="NAME=PATH",
                        help="a file for the guests, by the name the description uses")
    parser.add_argument("--cmdline", default="", metavar="STR", help="kernel command line")
    parser.add_argument("--nic", default="default",
                        choices=("default", "none", "e1000", "e1000e", "virtio-net-pci"),
                        help="the machine's network interface (default: e1000 in Bochs, e1000e in "
                        "QEMU)")
    parser.add_argument("--forward", action="append", default=[], metavar="tcp:PORT:PORT",
                        help="a TCP or UDP port of this host that leads to one of the machine's, "
                        "in that order; for this host only. The machine's 443 always is to be had, "
                        "at 8443 or the next free port if nothing else is said")
    parser.add_argument("--until", metavar="REGEX",
                        help="end with exit code 0 as soon as a line of the serial log matches")
    parser.add_argument("--timeout", type=float, metavar="SECONDS",
                        help="end with exit code 1 after this long (600 with --until)")
    parser.add_argument("--log", metavar="FILE", help="serial log (default: build/serial.log)")
    parser.add_argument("--iso", metavar="FILE",
                        help="only write the bootable ISO there (for a USB stick), boot nothing")
    parser.add_argument("--uefi", action="store_true", help="boot by UEFI (QEMU)")
    options = parser.parse_args(arguments)
    if options.cpus < 1 or options.memory < 64:
        parser.error("--cpus must be at least 1, --memory at least 64")
    options.modules = {}
    for text in options.module:
        name, separator, path = text.partition("=")
        if not separator or not name or not os.path.isfile(path):
            parser.error(f"--module {text}: want NAME=PATH of a file")
        options.modules[name] = path
    options.forward = [parse_forward(parser, text) for text in options.forward]
    if options.forward and options.nic == "none":
        parser.error("--forward needs a network interface")
    if options.nic != "none" and HTTPS not in (inside for _, _, inside in options.forward):
        options.forward.append(("tcp", free_port(HTTPS_OUTSIDE), HTTPS))
    if not os.path.isfile(options.vms):
        parser.error(f"--vms {options.vms}: no such file")
    if options.timeout is not None and options.timeout <= 0:
        parser.error("--timeout must be more than 0")
    if options.until:
        try:
            re.compile(options.until)
        except re.error as error:
            parser.error(f"--until: {error}")
    return options


def parse_forward(parser, text):
    match = re.fullmatch(r"(tcp|udp):(\d{1,5}):(\d{1,5})", text)
    if not match or not all(0 < int(port) < 65536 for port in match.groups()[1:]):
        parser.error(f"--forward {text}: want tcp:PORT:PORT or udp:PORT:PORT")
    return match.group(1), int(match.group(2)), int(match.group(3))


def free_port(first):
    """The first TCP port from there on that nobody listens at."""
    for port in range(first, first + 100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            pass
    return first


class Door:
    """Tells where the machine is managed and who may, when it can be reached. Its own account's
    password is on its console, if it has no others."""

    def __init__(self, options):
        self.ports = [outside for _, outside, inside in options.forward if inside == HTTPS]
        self.told = not self.ports
        self.scanned = 0

    def look(self, text):
        if self.told or not REACHABLE.search(text, self.scanned):
            # What is looked for is in one line.
            self.scanned = text.rfind("\n", self.scanned) + 1 or self.scanned
            return
        self.told = True
        login = LOGIN.search(text)
        who = f"user {login.group(1)}, password {login.group(2)}" if login \
            else "with the accounts of its configuration"
        print(f"\r\nrun: the machine is at https://localhost:{self.ports[0]}/ ({who})\r",
              file=sys.stderr)


class Keyboard:
    """The terminal in raw mode, its keys sent to the machine, until Ctrl-A x. What comes from a pipe
    or a file is sent as it is."""

    def __init__(self, box):
        self.box = box
        self.quit = threading.Event()
        self.terminal = bool(sys.stdin) and sys.stdin.isatty()
        self.saved = None

    def __enter__(self):
        # In the background, as under timeout(1), whoever touches the terminal is stopped.
        background = self.terminal and os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()
        if sys.stdin and not background:
            if self.terminal:
                self.saved = termios.tcgetattr(sys.stdin)
                tty.setraw(sys.stdin)
            threading.Thread(target=self.relay, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.quit.set()
        if self.saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)

    def relay(self):
        command = False
        while not self.quit.is_set():
            if not select.select([sys.stdin], [], [], 0.2)[0]:
                continue
            keys = os.read(sys.stdin.fileno(), 256)
            if not keys:
                return
            out = bytearray()
            for key in (bytes([k]) for k in keys):
                if not self.terminal:
                    out += key
                elif command:
                    command = False
                    if key in b"xX":
                        self.quit.set()
                        return
                    out += key
                elif key == QUIT:
                    command = True
                else:
                    out += key
            try:
                self.box.send(bytes(out))
            except OSError:
                return


def wait(box, keyboard, door, options):
    """Until the machine ends, the text matches, the time is up or the user quits; the exit code and
    what there is to say about it."""
    regex = re.compile(options.until, re.MULTILINE) if options.until else None
    timeout = options.timeout or (600 if regex else None)
    deadline = time.monotonic() + timeout if timeout else None
    scanned = 0
    while True:
        with box.changed:
            door.look(box.text)
            if regex and regex.search(box.text, scanned):
                return 0, None
            # A match does not cross lines: only the last, unfinished one is looked at again.
            scanned = box.text.rfind("\n", scanned) + 1 or scanned
            if box.ended:
                break
            box.changed.wait(0.2)
        if keyboard.quit.is_set():
            return (1, f"ended before /{options.until}/ matched") if regex else (0, None)
        if deadline and time.monotonic() > deadline:
            what = f"no match of /{options.until}/" if regex else "still running"
            return 1, f"{what} after {timeout:g} s"
    failure = box.failure()
    if failure:
        return 1, failure
    return (1, f"the machine powered off without /{options.until}/") if regex else \
        (0, "the machine powered off")


def make_iso(path, kernel, options):
    for name in build.make_iso(path, kernel, options.vms, options.modules, options.cmdline):
        print(f"run: {options.vms}: no module '{name}': give it with --module '{name}=PATH'",
              file=sys.stderr)


def run(options):
    """Builds, boots and stays until the end; the exit code."""
    log = os.path.abspath(options.log or os.path.join(build.BUILD, "serial.log"))
    build.setup("run")
    print("run: building the kernel and the test guests", file=sys.stderr)
    kernel = build.build("images")
    if options.iso:
        make_iso(options.iso, kernel, options)
        print(f"run: wrote {options.iso}", file=sys.stderr)
        return 0
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="innkeeper-run-") as directory:
        iso = os.path.join(directory, "innkeeper.iso")
        make_iso(iso, kernel, options)
        box = machine.Machine(options.machine, iso, cpu=options.cpu, cpus=options.cpus,
                              memory=options.memory, uefi=options.uefi, log=log,
                              on_output=show if sys.stdout else None, directory=directory,
                              nic=None if options.nic == "none" else options.nic,
                              forward=options.forward)
        if options.machine == "auto" and machine.kvm_nests_vtx() and not machine.has_vtx():
            print("run: /dev/kvm is not yours to use (are you in group kvm?), so it is Bochs",
                  file=sys.stderr)
        keyboard = Keyboard(box)
        print(f"run: booting in {box.kind} ({box.cpu}), serial log in {log}"
              + ("; Ctrl-A x ends it" if keyboard.terminal else ""), file=sys.stderr)
        with box, keyboard:
            code, said = wait(box, keyboard, Door(options), options)
    print(f"\nrun: {said}" if said else "", file=sys.stderr)
    return code


def show(data):
    """Writes all to the standard output, past Python's buffer."""
    while data:
        data = data[os.write(1, data):]


def main(arguments):
    options = parse(arguments)
    ending.on_signals()
    try:
        return run(options)
    except (build.BuildError, machine.MachineError, OSError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
