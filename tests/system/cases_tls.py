"""The system tests of TLS: the echo service by it, and OpenSSL as its client."""

import hashlib
import os
import re
import select
import socket
import ssl
import subprocess
import time

from cases import PANIC, check, command, described, vm
from cases_net import ADDRESS, free_port

MIB = 1 << 20
CONNECTIONS = 1000
FINGERPRINT = r"SHA-256 fingerprint ([0-9A-F:]{95})"
SELF_MADE = r"tls: self-made certificate, " + FINGERPRINT
CHACHA = "ECDHE-ECDSA-CHACHA20-POLY1305"


class Server:
    """A machine with the echo service, and its port by TLS."""

    def __init__(self, context, machine, cmdline="", **options):
        self.port = free_port(socket.SOCK_STREAM)
        options.setdefault("memory", 512)
        options.setdefault("nic", "e1000" if machine == "bochs" else "e1000e")
        self.box = context.boot(machine, cmdline="net-echo " + cmdline,
                                forward=[("tcp", self.port, 4433)], **options)

    def certificate(self, pattern=SELF_MADE):
        """The fingerprint that is in the log."""
        return self.box.expect(pattern, 120, reject=PANIC).group(1)

    def tcp(self, source=None):
        """`source`: the port of this host from which it comes."""
        connection = socket.socket()
        connection.settimeout(60)
        if source is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.bind(("127.0.0.1", source))
        connection.connect(("127.0.0.1", self.port))
        return connection

    def connect(self, context=None, session=None, name=None):
        return (context or client()).wrap_socket(self.tcp(), session=session, server_hostname=name)

    def echo(self, data, **options):
        """Sends it all, and takes as much back."""
        with self.connect(**options) as connection:
            back = exchange(connection, data)
            connection.settimeout(60)
            connection.unwrap()  # it tells its end, and so do we
        return back

    def check_echo(self, size=1000):
        data = os.urandom(size)
        check(self.echo(data) == data, f"{size} bytes did not come back as they were")

    def memory(self):
        """What is in use: packets, TLS' connections, the kernel's heap. TCP's connections are
        kept a while after their end."""
        match = command(self.box, "net", r"(\d+) of \d+ packets, .*\s+"
                        r"TLS: (\d+) of \d+ connections; (\d+) bytes")
        return [int(group) for group in match.groups()]

    def expect_memory(self, wanted, timeout):
        deadline = time.monotonic() + timeout
        while (now := self.memory()) != wanted:
            check(time.monotonic() < deadline, f"in use before: {wanted}, after: {now}")
            time.sleep(1)


def client(version=ssl.TLSVersion.TLSv1_2, ciphers="ALL"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def exchange(connection, data):
    """Sends and receives at the same time, in one thread, as OpenSSL wants it."""
    left = memoryview(data)
    back = bytearray()
    connection.setblocking(False)
    deadline = time.monotonic() + 120
    while len(back) < len(data):
        check(time.monotonic() < deadline, f"{len(back)} of {len(data)} bytes came back")
        if not connection.pending():
            select.select([connection], [connection] if left else [], [], 5)
        try:
            if left:
                left = left[connection.send(left[:65536]):]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            part = connection.recv(65536)
            check(part, f"closed after {len(back)} of {len(data)} bytes")
            back += part
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
    return bytes(back)


def hexadecimal(der):
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def openssl(context, *arguments):
    """Runs it in the test's directory."""
    result = subprocess.run(["openssl", *arguments], cwd=context.directory, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)
    check(result.returncode == 0, f"openssl {' '.join(arguments)}: {result.stdout}")
    return result.stdout


def tls(machine):
    """Its certificate is for its name and its addresses, and data comes back as it was."""
    def case(context):
        server = Server(context, machine)
        fingerprint = server.certificate()
        with server.connect() as connection:
            der = connection.getpeercert(True)
            check(connection.cipher()[:2] == (CHACHA, "TLSv1.2"), f"{connection.cipher()}")
        check(hexadecimal(der) == fingerprint, "another certificate than the log says")
        path = context.file("made.pem", ssl.DER_cert_to_PEM_cert(der))
        said = openssl(context, "x509", "-in", path, "-noout", "-text")
        for wanted in ("DNS:innkeeper, DNS:innkeeper.local, IP Address:10.0.2.15",
                       "CA:FALSE", "TLS Web Server Authentication"):
            check(wanted in said, f"no {wanted} in {said}")
        # Whoever takes it for right is content with all of it.
        trusting = ssl.create_default_context(cafile=path)
        for name in ("innkeeper", "innkeeper.local", "10.0.2.15"):
            with server.connect(trusting, name=name) as connection:
                check(connection.getpeercert(), f"not checked for {name}")
        for cipher in (CHACHA, "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"):
            check(server.echo(b"by " + cipher.encode(), context=client(ciphers=cipher))
                  == b"by " + cipher.encode(), f"no echo by {cipher}")
        for size in (1, 16384, MIB):
            server.check_echo(size)
    return case


def resumption(context):
    """A session is taken up again by its ticket, without another handshake."""
    server = Server(context, "qemu")
    server.certificate()
    settings = client()
    with server.connect(settings) as connection:
        check(exchange(connection, b"new") == b"new", "no echo")
        check(not connection.session_reused, "nothing was there to be used again")
        session = connection.session
        check(session.has_ticket, "no ticket")
    for _ in range(3):
        with server.connect(settings, session) as connection:
            check(connection.session_reused, "a new handshake")
            check(exchange(connection, b"again") == b"again", "no echo")
    # One from before the machine was booted again is of no use, and does no harm.
    old = server.box
    server = Server(context, "qemu")
    server.certificate()
    old.stop()
    with server.connect(settings, session) as connection:
        check(not connection.session_reused, "another machine's ticket was taken")
        check(exchange(connection, b"new") == b"new", "no echo")


def refusals(context):
    """What is old, and what is no TLS at all."""
    server = Server(context, "qemu")
    server.certificate()
    server.check_echo()
    before = server.memory()
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_3):
        try:
            server.connect(client(version)).close()
        except ssl.SSLError as error:
            check("ALERT" in str(error).upper(), f"{version.name}: {error}")
        else:
            raise AssertionError(f"{version.name} was accepted")
    try:
        server.connect(client(ciphers="ECDHE-ECDSA-AES128-SHA")).close()
    except ssl.SSLError as error:
        check("HANDSHAKE_FAILURE" in str(error), str(error))
    else:
        raise AssertionError("a cipher that is not there was accepted")
    hello = bytes.fromhex("1603010200010001fc0303")
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(5000), os.urandom(5000), hello,
                    hello + os.urandom(507), b"\x16\x03\x03\xff\xff" + bytes(70000),
                    b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x00" * 1000):
        with server.tcp() as connection:
            connection.settimeout(1)
            try:
                connection.sendall(garbage)
                connection.recv(1000)
            except OSError:  # cut off, or it waits for the rest
                pass
    # What is damaged on its way ends the connection.
    with server.tcp() as raw:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = client().wrap_bio(incoming, outgoing)
        while True:
            try:
                connection.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        connection.write(b"hello")
        record = bytearray(outgoing.read())
        record[-1] ^= 1
        raw.sendall(record)
        while part := raw.recv(65536):
            incoming.write(part)
        try:
            connection.read()
        except ssl.SSLError as error:
            check("BAD_RECORD_MAC" in str(error), str(error))
    server.check_echo()
    server.expect_memory(before, 60)


def many_connections(context):
    """A thousand connections, with a handshake or a ticket, leave nothing behind."""
    server = Server(context, "qemu")
    server.certificate()
    settings = client()
    server.check_echo()
    before = server.memory()
    session = None
    for number in range(CONNECTIONS):
        with server.connect(settings, session if number % 4 == 3 else None) as connection:
            data = b"%d" % number * 50
            check(exchange(connection, data) == data, f"connection {number}")
            session = connection.session
            if number % 10 < 8:
                connection.settimeout(60)
                connection.unwrap()  # the others just go
    server.expect_memory(before, 60)


def half_open(context):
    """Two hundred that say nothing, and some that say it slowly, stop nobody, and do not stay."""
    server = Server(context, "qemu")
    server.certificate()
    server.check_echo()
    before = server.memory()
    with server.connect() as first:
        check(exchange(first, b"first") == b"first", "no echo")
        idle = [server.tcp() for _ in range(200)]
        for connection in idle[:50]:
            connection.send(b"\x16")
        for _ in range(5):
            server.check_echo()
        check(exchange(first, b"still here") == b"still here", "the first connection is dead")
        count = server.memory()[1]
        check(1 < count <= 25, f"{count} connections")
        time.sleep(20)  # the handshakes are late
        check(server.memory()[1] == 1, f"{server.memory()[1]} connections")
        for connection in idle:
            connection.close()
        check(exchange(first, b"to the end") == b"to the end", "the first connection is dead")
    server.expect_memory(before, 60)


def same_port(context):
    """A client comes again from the port of a connection that the machine has ended first."""
    server = Server(context, "qemu")
    server.certificate()
    source = free_port(socket.SOCK_STREAM)
    for number in range(3):
        connection = client().wrap_socket(server.tcp(source))
        check(exchange(connection, b"hello") == b"hello", f"no echo the time number {number}")
        connection.settimeout(60)
        with connection.unwrap() as plain:
            # Who closes before the machine's FIN has come is the one whose port then waits.
            check(plain.recv(1) == b"", f"bytes after the end the time number {number}")


def too_many(context):
    """More than there is room for: some are refused, and those that are there go on."""
    server = Server(context, "qemu")
    server.certificate()
    server.check_echo()
    before = server.memory()
    connections = []
    try:
        for _ in range(60):
            connections.append(server.connect())
        raise AssertionError("60 connections at once")
    except OSError:
        pass
    check(len(connections) == 40, f"{len(connections)} connections")
    for connection in connections:
        check(exchange(connection, b"here") == b"here", "no echo")
    for connection in connections:
        connection.close()
    server.expect_memory(before, 60)
    server.check_echo()


def given(context):
    """Certificate and key from boot modules, and what is wrong with them is told."""
    for kind, options in (("ec", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")),
                          ("rsa", ("rsa:2048",))):
        openssl(context, "req", "-x509", "-newkey", *options, "-nodes", "-subj", "/CN=given",
                "-keyout", f"{kind}.key", "-out", f"{kind}.crt", "-days", "30")
    modules = {name: os.path.join(context.directory, name)
               for name in ("ec.key", "ec.crt", "rsa.key", "rsa.crt")}
    for kind in ("ec", "rsa"):
        server = Server(context, "qemu", f"tls-cert={kind}.crt tls-key={kind}.key",
                        modules=modules)
        fingerprint = server.certificate(r"tls: certificate from a boot module, " + FINGERPRINT)
        server.box.expect(ADDRESS, 60, reject=PANIC)
        said = openssl(context, "x509", "-in", f"{kind}.crt", "-noout", "-fingerprint", "-sha256")
        check(fingerprint in said, f"{fingerprint} in the log, {said}")
        with server.connect() as connection:
            check(hexadecimal(connection.getpeercert(True)) == fingerprint, "another certificate")
            check(exchange(connection, b"hello") == b"hello", "no echo")
        server.box.stop()
    for cmdline, wrong in (
            ("tls-cert=ec.crt tls-key=rsa.key",
             r"ec\.crt, rsa\.key: the key is not the certificate's"),
            ("tls-cert=ec.crt tls-key=ec.crt", r"ec\.crt, ec\.crt: the key is damaged"),
            ("tls-cert=ec.key tls-key=ec.key", r"the certificate is damaged or none"),
            ("tls-cert=ec.crt", r"tls-key= is missing"),
            ("tls-cert=none tls-key=ec.key", r"tls-cert=none: there is no boot module")):
        server = Server(context, "qemu", cmdline, modules=modules)
        server.box.expect(r"error: tls: .*" + wrong + r".*; there is no TLS", 60, reject=PANIC)
        server.box.expect(ADDRESS, 60, reject=PANIC)
        try:
            server.connect().close()
        except OSError:
            pass
        else:
            raise AssertionError("there is TLS nevertheless")
        server.box.stop()


def beside_guests(context):
    """On one CPU with two guests that never rest, which have what they are owed."""
    server = Server(context, "bochs", memory=1024,
                    vms=described(context, vm("spin", "shutdown.elf", "spin"),
                                  vm("exits", "shutdown.elf", "exit-flood")))
    server.certificate()
    for _ in range(3):
        server.check_echo(100000)
    said = command(server.box, "vms", r"1 spin +running .*\n 2 exits +running .*\n").group(0)
    check(len(re.findall("running", said)) == 2, said)


def all_cases():
    yield "tls: 1000 connections", many_connections
    yield "tls: half-open connections", half_open
    yield "tls: given certificates", given
    yield "tls: Bochs", tls("bochs")
    yield "tls: QEMU", tls("qemu")
    yield "tls: beside busy guests", beside_guests
    yield "tls: resumption", resumption
    yield "tls: a port used again", same_port
    yield "tls: refusals", refusals
    yield "tls: more connections than room", too_many
