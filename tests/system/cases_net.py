"""The system tests of the machine's own network, in the emulators' networks."""

import os
import socket
import struct
import threading
import time

from cases import PANIC, check, command, described, vm

MIB = 1 << 20
CONNECTIONS = 1000
NTP_EPOCH = 2208988800  # 1970 in the time of NTP, which begins in 1900
ADDRESS = r"net: address 10\.0\.2\.15/24"


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Echo:
    """A machine with the echo service, and the ports by which it is reached."""

    def __init__(self, context, machine, nic, cmdline="", **options):
        self.tcp = free_port(socket.SOCK_STREAM)
        self.udp = free_port(socket.SOCK_DGRAM)
        options.setdefault("memory", 512)
        self.box = context.boot(machine, nic=nic, cmdline="net-echo " + cmdline,
                                forward=[("tcp", self.tcp, 7), ("udp", self.udp, 7)], **options)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.tcp), 20)
        connection.settimeout(60)
        return connection

    def tcp_echo(self, data):
        """Sends it all at once, and takes what comes back until the machine closes."""
        back = bytearray()
        with self.connect() as connection:
            sender = threading.Thread(target=send_all, args=(connection, data), daemon=True)
            sender.start()
            while part := connection.recv(65536):
                back += part
            sender.join()
        return bytes(back)

    def udp_echo(self, data):
        """Like TCP, it repeats what gets lost."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.settimeout(2)
            for _ in range(5):
                connection.sendto(data, ("127.0.0.1", self.udp))
                try:
                    return connection.recv(65536)
                except TimeoutError:
                    pass
        return None

    def memory(self):
        """What the network has in use: heap, packets, connections."""
        time.sleep(1)  # what was sent last is acknowledged
        match = command(self.box, "net", r"memory: (\d+) of .* heap, (\d+) of .* packets, "
                        r"(\d+) of .* connections")
        return [int(group) for group in match.groups()]


def send_all(connection, data):
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def address(machine, nic, pattern):
    """An address by DHCP, and one MiB there and back."""
    def case(context):
        echo = Echo(context, machine, nic)
        echo.box.expect(r"net: \w+, 52:54:00:12:34:56, " + pattern, 120, reject=PANIC)
        echo.box.expect(r"net: link up", 20, reject=PANIC)
        echo.box.expect(ADDRESS + r" by DHCP, gateway 10\.0\.2\.2, DNS 10\.0\.2\.3", 60,
                        reject=PANIC)
        data = os.urandom(MIB)
        check(echo.tcp_echo(data) == data, "TCP: what came back is not what was sent")
        for size in (1, 1000, 1472, 5000):  # the last in four fragments
            data = os.urandom(size)
            check(echo.udp_echo(data) == data, f"UDP: {size} bytes did not come back")
        command(echo.box, "net", r"IPv4 +10\.0\.2\.15/24")
    return case


def ipv6(context):
    """It finds its addresses by itself."""
    box = context.boot("qemu", nic="e1000e", memory=512)
    box.expect(r"net: address FE80::5054:FF:FE12:3456", 60, reject=PANIC)
    box.expect(r"net: address FEC0::5054:FF:FE12:3456", 60, reject=PANIC)


def many_connections(context):
    """A thousand connections, some of which end as they should not, leave nothing behind."""
    echo = Echo(context, "qemu", "e1000e")
    echo.box.expect(ADDRESS, 60, reject=PANIC)
    check(echo.tcp_echo(b"first") == b"first", "no echo")
    before = echo.memory()
    for number in range(CONNECTIONS):
        data = b"%d" % number * 100
        if number % 10 == 9:
            with echo.connect() as connection:  # cut off with data on its way
                connection.sendall(data * 20)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
        else:
            check(echo.tcp_echo(data) == data, f"connection {number}")
    after = echo.memory()
    check(after == before, f"in use before: {before}, after: {after}")


def crowd(context):
    """More connections than there is room for: those that are there go on."""
    echo = Echo(context, "qemu", "e1000")
    echo.box.expect(ADDRESS, 60, reject=PANIC)
    before = echo.memory()
    with echo.connect() as first:
        idle = [echo.connect() for _ in range(100)]
        first.sendall(b"still here")
        check(first.recv(100) == b"still here", "the first connection is dead")
        for connection in idle:
            connection.close()
    deadline = time.monotonic() + 30
    while echo.memory() != before:
        check(time.monotonic() < deadline, f"in use before: {before}, after: {echo.memory()}")
    check(echo.tcp_echo(b"again") == b"again", "no echo after the crowd")


def flood(context):
    """More datagrams than it can answer: what is too much is lost, and nothing else."""
    echo = Echo(context, "qemu", "e1000")
    echo.box.expect(ADDRESS, 60, reject=PANIC)
    before = echo.memory()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            sender.sendto(bytes(1400), ("127.0.0.1", echo.udp))
    check(echo.udp_echo(b"after") == b"after", "no echo after the flood")
    check(echo.memory() == before, f"in use before: {before}, after: {echo.memory()}")


def link(nic):
    """The link goes and comes back."""
    def case(context):
        echo = Echo(context, "qemu", nic)
        echo.box.expect(ADDRESS, 60, reject=PANIC)
        for _ in range(2):
            echo.box.monitor("set_link nic0 off")
            echo.box.expect(r"net: link down", 20, reject=PANIC)
            command(echo.box, "net", r"link down")
            echo.box.monitor("set_link nic0 on")
            echo.box.expect(r"net: link up", 20, reject=PANIC)
            check(echo.udp_echo(b"back") == b"back", "no echo after the link came back")
        data = os.urandom(100000)
        check(echo.tcp_echo(data) == data, "what came back is not what was sent")
    return case


def beside_guests(context):
    """On one CPU with two guests that never rest, the network has what it needs, and so have they."""
    echo = Echo(context, "bochs", "e1000", memory=1024,
                vms=described(context, vm("spin", "shutdown.elf", "spin"),
                              vm("exits", "shutdown.elf", "exit-flood")))
    echo.box.expect(ADDRESS, 120, reject=PANIC)
    data = os.urandom(MIB)
    check(echo.tcp_echo(data) == data, "what came back is not what was sent")
    for _ in range(20):
        check(echo.udp_echo(b"hello") == b"hello", "no echo")
    command(echo.box, "vms", r"1 spin +running .*\n 2 exits +running ")


def static_address(context):
    echo = Echo(context, "qemu", "e1000e", "net=static,10.0.2.15/24,10.0.2.2")
    echo.box.expect(ADDRESS + r", gateway 10\.0\.2\.2, no DNS", 60, reject=PANIC)
    check(echo.udp_echo(b"hello") == b"hello", "no echo")


def without(context):
    """Wrong settings and no interface are told, and the machine goes on."""
    box = context.boot("qemu", nic="e1000", memory=512, cmdline="net=static,10.0.2.15/24,10.1.0.1")
    box.expect(r"error: net: net=static,10\.0\.2\.15/24,10\.1\.0\.1: the gateway is not in the "
               r"address's network; the network is off", 60, reject=PANIC)
    command(box, "net", r"there is no network")
    box = context.boot("qemu", memory=512)
    box.expect(r"net: there is no network interface", 60, reject=PANIC)
    command(box, "net", r"there is no network")


def ntp_server(server, when):
    """Answers requests: it is `when` (seconds since 1970)."""
    while True:
        try:
            request, sender = server.recvfrom(512)
        except OSError:
            return
        if sender is None:  # closed while it waited: the test is over
            return
        stamp = struct.pack(">II", when + NTP_EPOCH, 0)
        header = struct.pack(">BBBbIII", 0x24, 1, 6, -20, 0, 0, 0)  # version 4, a server
        server.sendto(header + stamp + request[40:48] + stamp + stamp, sender)


def ntp(context):
    """The clock is set by a server."""
    when = int(time.time()) + 100 * 86400
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        threading.Thread(target=ntp_server, args=(server, when), daemon=True).start()
        box = context.boot("qemu", nic="e1000e", memory=512, cmdline="ntp=10.0.2.2 ntp-port="
                           f"{server.getsockname()[1]}")
        said = box.expect(r"net: NTP: it is (\d+) s since 1970, the clock was slow by (\d+) ms",
                          60, reject=PANIC)
    check(abs(int(said.group(1)) - when) <= 1, f"{said.group(0)}, but it is {when}")
    check(abs(int(said.group(2)) / 1000 - 100 * 86400) < 600, said.group(0))


def all_cases():
    yield "net: e1000, Bochs", address("bochs", "e1000", "INTx")
    yield "net: e1000, QEMU", address("qemu", "e1000", "INTx")
    yield "net: e1000e, QEMU", address("qemu", "e1000e", "MSI")
    yield "net: virtio, QEMU", address("qemu", "virtio-net-pci", "MSI-X")
    yield "net: beside busy guests", beside_guests
    yield "net: 1000 connections", many_connections
    yield "net: more connections than room", crowd
    yield "net: flood", flood
    yield "net: link, e1000", link("e1000")
    yield "net: link, e1000e", link("e1000e")
    yield "net: link, virtio", link("virtio-net-pci")
    yield "net: IPv6", ipv6
    yield "net: static address", static_address
    yield "net: NTP", ntp
    yield "net: without", without
