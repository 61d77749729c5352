"""Emulated machines: Bochs (VT-x in full) and QEMU, with the serial port in our hands."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

DEFAULT_CPU = {"bochs": "corei7_skylake_x", "qemu": "max"}

# TSC ticks a second that Bochs claims: with one tick an instruction, about half its real speed.
BOCHS_IPS = 50000000

BOCHSRC = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/seabios/vgabios-stdvga.bin
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
megs: {memory}
clock: sync=none, time0=utc
ata0-master: type=cdrom, path="{iso}", status=inserted
boot: cdrom
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
log: bochs.log
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
"""

# The network interface that each emulator has, and those that it can have.
DEFAULT_NIC = {"bochs": "e1000", "qemu": "e1000e"}
NICS = {"bochs": ("e1000",), "qemu": ("e1000", "e1000e", "virtio-net-pci")}
# In the emulators' own network the machine gets this address by DHCP.
NIC_ADDRESS = "10.0.2.15"
NIC_MAC = "52:54:00:12:34:56"


class MachineError(Exception):
    """The machine could not be started or did not do what was expected."""


def kvm_nests_vtx():
    """True if KVM gives its guests VT-x on this machine: the CPU has it and nesting is on."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            if not re.search(r"^flags\s*:.*\bvmx\b", file.read(), re.MULTILINE):
                return False
        with open("/sys/module/kvm_intel/parameters/nested", encoding="ascii") as file:
            nested = file.read().strip()
    except OSError:
        return False
    return nested in ("Y", "1")


def has_vtx():
    """True if QEMU, run by this user, gives its guests VT-x."""
    return kvm_nests_vtx() and os.access("/dev/kvm", os.R_OK | os.W_OK)


class Machine:
    """One running emulator. Everything its serial port says is in `text` and in the log file."""

    def __init__(self, kind, iso, *, cpu=None, cpus=1, memory=1024, uefi=False, log=None,
                 on_output=None, directory=None, config="", nic=None, forward=(),
                 wire=None):
        """`nic`: a network interface (NICS; "default"), in a network of the emulator's own with
        DHCP and DNS.
        `forward`: ports of it that are reached from outside, each (protocol, port of this host,
        port of the machine).
        `wire` (QEMU): two UDP ports of this host in place of that network: the machine's frames
        come to the first, and go to it at the second."""
        if kind == "auto":
            kind = "qemu" if has_vtx() else "bochs"
        if uefi and kind != "qemu":
            raise MachineError("only QEMU boots by UEFI here: use --machine qemu --uefi")
        if nic == "default":
            nic = DEFAULT_NIC[kind]
        if nic is not None and nic not in NICS[kind]:
            raise MachineError(f"{kind} has no network interface {nic}: use one of "
                               + ", ".join(NICS[kind]))
        self.kind = kind
        self.iso = os.path.abspath(iso)
        self.cpu = cpu or ("host" if kind == "qemu" and has_vtx() else DEFAULT_CPU[kind])
        self.cpus = cpus
        self.memory = memory
        self.uefi = uefi
        self.on_output = on_output
        self.config = config  # more lines for Bochs
        self.nic = nic
        self.forward = tuple(forward)
        self.wire = wire
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="innkeeper-machine-")
        self.log_path = os.path.abspath(log) if log else os.path.join(self.directory, "serial.log")
        self.text = ""
        self.changed = threading.Condition()
        self.process = None
        self.connection = None
        self.reader = None
        self.output = None
        self.ended = False
        self.trouble = None
        self.offset = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # The emulators run in their directory, and files there go by relative names: no path of the
    # user's can then hold a character that a command or a configuration takes for its own.

    def _bochs_nic(self):
        """The lines of Bochs' configuration; what is forwarded stands in a file of its own, which
        begins with a line that Bochs knows it by."""
        if not self.nic:
            return ""
        with open(os.path.join(self.directory, "slirp.conf"), "w", encoding="utf-8") as file:
            file.write("# slirp config\n")
            for protocol, outside, inside in self.forward:
                file.write(f"hostfwd = {protocol}:127.0.0.1:{outside}-{NIC_ADDRESS}:{inside}\n")
        return f"{self.nic}: enabled=1, mac={NIC_MAC}, ethmod=slirp, script=slirp.conf\n"

    def _qemu_nic(self):
        if not self.nic:
            return ["-nic", "none"]
        user = "user,id=net0" + "".join(f",hostfwd={protocol}:127.0.0.1:{outside}-:{inside}"
                                        for protocol, outside, inside in self.forward)
        if self.wire:
            user = "socket,id=net0,udp=127.0.0.1:{},localaddr=127.0.0.1:{}".format(*self.wire)
        return ["-netdev", user, "-device", f"{self.nic},netdev=net0,mac={NIC_MAC},id=nic0"]

    def _bochs(self, port):
        with open(os.path.join(self.directory, "bochsrc"), "w", encoding="utf-8") as file:
            file.write(BOCHSRC.format(cpu=self.cpu, cpus=self.cpus, memory=self.memory,
                                      iso=os.path.relpath(self.iso, self.directory),
                                      port=port, ips=BOCHS_IPS)
                       + self._bochs_nic() + self.config)
        with open(os.path.join(self.directory, "commands"), "w", encoding="utf-8") as file:
            file.write("c\n")  # Debian's Bochs starts in its debugger
        return ["bochs", "-q", "-f", "bochsrc", "-rc", "commands"]

    def _qemu(self, port):
        command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", self.cpu,
                   "-smp", str(self.cpus), "-m", str(self.memory),
                   "-cdrom", os.path.relpath(self.iso, self.directory),
                   "-boot", "d", "-display", "none", "-no-reboot",
                   "-chardev", f"socket,id=com1,host=127.0.0.1,port={port}",
                   "-serial", "chardev:com1", "-monitor", "unix:monitor,server=on,wait=off",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=0x4", *self._qemu_nic()]
        if has_vtx():
            command.append("-enable-kvm")
        if self.uefi:
            command += ["-bios", "/usr/share/ovmf/OVMF.fd"]
        return command

    def start(self):
        """Starts the emulator; it connects its serial port to us, so that no port is guessed."""
        log = open(self.log_path, "wb")
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.1)
            port = server.getsockname()[1]
            command = self._bochs(port) if self.kind == "bochs" else self._qemu(port)
            self.output = open(os.path.join(self.directory, "emulator.log"), "wb")
            try:
                self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                                stdout=self.output, stderr=subprocess.STDOUT,
                                                cwd=self.directory, start_new_session=True)
                self._accept(server, command[0])
            except BaseException as error:
                log.close()
                self.stop()
                if isinstance(error, FileNotFoundError):
                    raise MachineError(f"{command[0]} is not installed") from error
                raise
        self.reader = threading.Thread(target=self._read, args=(log,), daemon=True)
        self.reader.start()

    def _accept(self, server, name):
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connection = server.accept()[0]
                break
            except TimeoutError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise MachineError(f"{name} did not start: "
                                       f"{self.emulator_output().strip()}") from error
        self.connection.settimeout(None)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def emulator_output(self):
        """What the emulator itself said, for error messages."""
        said = ""
        for name in ("emulator.log", "bochs.log"):
            try:
                with open(os.path.join(self.directory, name), encoding="utf-8",
                          errors="replace") as file:
                    said += "".join(file.readlines()[-8:])
            except OSError:
                pass
        return said

    def _read(self, log):
        try:
            with log:
                while data := self._receive():
                    log.write(data)
                    log.flush()
                    if self.on_output:
                        self.on_output(data)
                    with self.changed:
                        self.text += data.decode("utf-8", "replace").replace("\r", "")
                        self.changed.notify_all()
        except OSError as error:
            self.trouble = error
        finally:
            with self.changed:
                self.ended = True
                self.changed.notify_all()

    def _receive(self):
        try:
            return self.connection.recv(65536)
        except OSError:  # the emulator is gone
            return b""

    def failure(self):
        """Once `ended`: why, or None if the machine powered itself off as it should."""
        if self.trouble:
            return f"cannot write what the machine says: {self.trouble}"
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            return f"{self.kind} closed its serial port"
        said = self.emulator_output().strip()
        # Bochs calls a power-off by ACPI a panic, and by its own port a shutdown.
        off = "soft power off" in said or "Shutdown port" in said or code == 0
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return None if off else f"{self.kind} died with {how}:\n{said}"

    def send(self, data):
        """Types on the serial line, at a pace that a UART's FIFO can take."""
        if isinstance(data, str):
            data = data.encode()
        self.connection.sendall(data)

    def expect(self, pattern, timeout, reject=None):
        """Waits for a regular expression in what was not looked at yet; returns the match.
        `reject`: a pattern that must not come first."""
        regex = re.compile(pattern, re.MULTILINE)
        rejected = re.compile(reject, re.MULTILINE) if reject else None
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                unread = self.text[self.offset:]
                match = regex.search(unread)
                bad = rejected.search(unread) if rejected else None
                if bad and (not match or bad.start() < match.start()):
                    raise MachineError(f"saw {bad.group(0)!r} while waiting for {pattern!r}")
                if match:
                    self.offset += match.end()
                    return match
                if self.ended:
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    raise MachineError(f"no {pattern!r} within {timeout} s")
                self.changed.wait(left)
        raise MachineError(f"the machine ended without {pattern!r}: "
                           f"{self.failure() or 'it powered off'}")

    def wait_end(self, timeout):
        """Waits until the emulator is gone by itself; returns its exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"the machine was still running after {timeout} s") from error

    def monitor(self, command):
        """Gives QEMU's monitor a command (screendump and the like)."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(os.path.join(self.directory, "monitor"))
            monitor.sendall(command.encode() + b"\n")
            time.sleep(1)

    def stop(self):
        """Ends the emulator whatever it does, and removes its directory if it was made here."""
        if self.process and self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            except ProcessLookupError:
                pass
        if self.connection:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if self.reader:
                self.reader.join(5)
            self.connection.close()
        if self.output:
            self.output.close()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
