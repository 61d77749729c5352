"""A wire to a machine: Ethernet frames as a test makes them, for what no socket would send."""

import socket
import struct
import threading
import time

MACHINE = "10.9.9.2"
GATEWAY = "10.9.9.1"
OPTION = f"net=static,{MACHINE}/24,{GATEWAY}"
OUR_MAC = b"\x52\x54\x00\x00\x00\x01"
ARP, IPV4 = 0x0806, 0x0800
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_segment(source, port, machine_port, flags, sequence, acknowledged, data):
    addresses = socket.inet_aton(source) + socket.inet_aton(MACHINE)
    tcp = struct.pack(">HHIIBBHHH", port, machine_port, sequence, acknowledged, 5 << 4, flags,
                      8192, 0, 0) + data
    pseudo = addresses + struct.pack(">BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + addresses
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + tcp


class Wire:
    """Our end; it answers whoever asks for the gateway."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.machine_port = probe.getsockname()[1]
        self.mac = b"\xff" * 6
        self.clients = {}
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def ports(self):
        """For the machine's `wire`."""
        return self.socket.getsockname()[1], self.machine_port

    def send(self, kind, payload):
        frame = self.mac + OUR_MAC + struct.pack(">H", kind) + payload
        self.socket.sendto(frame.ljust(60, b"\0"), ("127.0.0.1", self.machine_port))

    def read(self):
        while True:
            try:
                frame = self.socket.recv(65536)
            except OSError:
                return
            kind = struct.unpack(">H", frame[12:14])[0]
            if kind == ARP and frame[20:22] == b"\0\1" \
                    and frame[38:42] == socket.inet_aton(GATEWAY):
                self.mac = frame[6:12]
                self.send(ARP, b"\0\1\x08\0\6\4\0\2" + OUR_MAC + frame[38:42] + frame[22:32])
            elif kind == IPV4 and frame[23] == 6:
                self.take(frame[14:])

    def take(self, packet):
        length = struct.unpack(">H", packet[2:4])[0]
        tcp = packet[(packet[0] & 15) * 4:length]
        machine_port, port, sequence, acknowledged = struct.unpack(">HHII", tcp[:12])
        data = tcp[(tcp[12] >> 4) * 4:]
        with self.changed:
            client = self.clients.get((socket.inet_ntoa(packet[16:20]), port, machine_port))
            if client:
                client.take(tcp[13], sequence, acknowledged, data)
                self.changed.notify_all()

    def syn(self, source, port, machine_port):
        """Begins a connection that will never be finished."""
        self.send(IPV4, tcp_segment(source, port, machine_port, SYN, port, 0, b""))


class Client:
    """One TCP connection, on a wire that loses nothing; it repeats its SYN as others do. One that is
    deaf takes nothing of what is sent to it."""

    def __init__(self, wire, source, port, machine_port, deaf=False):
        self.wire = wire
        self.address = (source, port, machine_port)
        self.deaf = deaf
        self.sequence = 1000
        self.next = None  # byte that is to come; once connected
        self.got = b""
        self.ended = False
        with wire.changed:
            wire.clients[self.address] = self

    def send(self, flags, data=b""):
        self.wire.send(IPV4, tcp_segment(*self.address, flags, self.sequence, self.next or 0, data))
        self.sequence += len(data) + (flags & SYN != 0)

    def take(self, flags, sequence, _, data):
        if flags & RST:
            self.ended = True
        elif flags & SYN and self.next is None:
            self.next = sequence + 1
            self.send(ACK)
        elif self.next is not None and sequence == self.next and not self.deaf and (data or flags & FIN):
            self.got += data
            self.ended |= flags & FIN != 0
            self.next += len(data) + (flags & FIN != 0)
            self.send(ACK)

    def connect(self, seconds):
        """True when it is connected within so many seconds."""
        deadline = time.monotonic() + seconds
        wait = 1
        with self.wire.changed:
            while self.next is None and time.monotonic() < deadline:
                self.sequence = 1000
                self.send(SYN)
                self.wire.changed.wait_for(lambda: self.next is not None, wait)
                wait *= 2
        return self.next is not None

    def receive(self, pattern, seconds):
        """True when what has come holds these bytes."""
        with self.wire.changed:
            return self.wire.changed.wait_for(lambda: pattern in self.got, seconds)
