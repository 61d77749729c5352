"""The system tests of the HTTP server: right, wrong, slow and too many clients."""

import base64
import http.client
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

import build
import wire
from cases import PANIC, check, described, vm
from cases_net import ADDRESS, free_port

USER, PASSWORD = "admin", "a secret word"
IMAGES = "/redfish/v1/Oem/Innkeeper/Images"
REQUESTS = 10000
IDLE = 200


def account():
    """The option of the kernel's command line; its hash is quick to check, for tests."""
    sys.path.insert(0, os.path.join(build.ROOT, "tools", "lib"))
    import password

    return password.user_option(USER, PASSWORD, 1000)


def basic(user=USER, password=PASSWORD):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Server:
    """A booted machine, and the ways to ask it."""

    def __init__(self, context, machine, *, plain=True, **options):
        self.secure_port = free_port(socket.SOCK_STREAM)
        self.plain_port = free_port(socket.SOCK_STREAM)
        options.setdefault("memory", 512)
        self.box = context.boot(machine, nic="default", cmdline=account() + " http" * plain,
                                forward=[("tcp", self.secure_port, 443),
                                         ("tcp", self.plain_port, 80)], **options)
        self.box.expect(ADDRESS, 120, reject=PANIC)
        self.box.expect(r"tls: self-made certificate", 60, reject=PANIC)
        self.tls = unverified()

    def connect(self, secure=True, timeout=30):
        """A connection that speaks for itself."""
        port = self.secure_port if secure else self.plain_port
        connection = socket.create_connection(("127.0.0.1", port), timeout)
        return self.tls.wrap_socket(connection) if secure else connection

    def client(self, secure=True):
        if secure:
            return http.client.HTTPSConnection("127.0.0.1", self.secure_port, timeout=30,
                                               context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.plain_port, timeout=30)

    def ask(self, path, method="GET", secure=True, body=None, **fields):
        """One request on a connection of its own; the answer and its body."""
        client = self.client(secure)
        try:
            client.request(method, path, body,
                           {name.replace("_", "-"): value for name, value in fields.items()})
            answer = client.getresponse()
            return answer, answer.read()
        finally:
            client.close()

    def raw(self, data, secure=False):
        """What comes for these bytes until the machine closes or has nothing to say."""
        back = b""
        with self.connect(secure) as connection:
            try:
                connection.sendall(data)
                connection.settimeout(3)
                while part := connection.recv(65536):
                    back += part
            except (TimeoutError, ConnectionError):
                pass
        return back

    def curl(self, *arguments):
        """What curl writes, its options and the path given; then the status, or more."""
        command = ["curl", "-sk", "-u", f"{USER}:{PASSWORD}", "--max-time", "60",
                   *arguments[:-1], f"https://127.0.0.1:{self.secure_port}{arguments[-1]}"]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors="replace")
        check(result.returncode == 0, f"curl ended with {result.returncode}: {result.stdout}")
        return result.stdout

    def memory(self):
        """Bytes of the kernel's heap, and what of lwIP's memory is in use, when all is calm."""
        time.sleep(1.5)
        answer, body = self.ask("/metrics", Authorization=basic())
        check(answer.status == 200, f"/metrics: {answer.status}")
        return [int(re.search(rf"^innkeeper_{name} (\d+)$", body.decode(), re.MULTILINE).group(1))
                for name in ("heap_bytes", "network_heap_bytes", "network_packets",
                             "network_connections")]

    def settled_memory(self, before, slack):
        """The heap is where it was, but for `slack` bytes, and lwIP's memory is."""
        deadline = time.monotonic() + 60
        while True:
            after = self.memory()
            if after[0] <= before[0] + slack and all(a <= b + 1 for a, b in
                                                     zip(after[2:], before[2:])):
                return
            check(time.monotonic() < deadline, f"in use before: {before}, after: {after}")


def check_answers(server, secure):
    answer, body = server.ask("/", secure=secure)
    check(answer.status == 200 and b"Innkeeper" in body, f"/: {answer.status}")
    check(answer.getheader("Content-Type").startswith("text/html"), "the page's type")
    check("default-src 'self'" in answer.getheader("Content-Security-Policy"), "no CSP")
    check(answer.getheader("X-Content-Type-Options") == "nosniff", "sniffing is allowed")
    check(answer.getheader("Date") is not None, "no date")
    again, _ = server.ask("/", secure=secure, If_None_Match=answer.getheader("ETag"))
    check(again.status == 304, f"the page again: {again.status}")
    head, nothing = server.ask("/", "HEAD", secure)
    check(head.getheader("Content-Length") == str(len(body)) and nothing == b"", "HEAD")
    check(server.ask("/no/such", secure=secure)[0].status == 404, "404")
    wrong, _ = server.ask("/", "DELETE", secure)
    check(wrong.status == 405 and wrong.getheader("Allow") == "GET, HEAD, OPTIONS", "405")
    stranger, _ = server.ask("/metrics", secure=secure)
    check(stranger.status == 401 and
          stranger.getheader("WWW-Authenticate").startswith("Basic realm="), "401")
    page, _ = server.ask("/metrics", secure=secure, X_Requested_With="XMLHttpRequest")
    check(page.status == 401 and page.getheader("WWW-Authenticate") is None, "401 for the page")
    good, text = server.ask("/metrics", secure=secure, Authorization=basic())
    check(good.status == 200 and b"innkeeper_build_info" in text, f"/metrics: {good.status}")
    check(good.getheader("Cache-Control") == "no-store", "an answer that may be kept")


def check_connections(server):
    """One connection for several requests, several requests at once, and how it ends."""
    client = server.client()
    for path in ("/", "/metrics", "/no/such", "/"):
        client.request("GET", path, headers={"Authorization": basic()})
        client.getresponse().read()
        check(client.sock is not None, f"the connection ended after {path}")
    client.request("GET", "/", headers={"Connection": "close"})
    answer = client.getresponse()
    check(answer.getheader("Connection") == "close", "Connection: close is not echoed")
    answer.read()
    request = b"HEAD / HTTP/1.1\r\nHost: a\r\n"
    back = server.raw((request + b"\r\n") * 20 + request + b"Connection: close\r\n\r\n", True)
    check(back.count(b"HTTP/1.1 200 OK\r\n") == 21, f"{back.count(b'HTTP/1.1 200')} answers of 21")
    connects = server.curl("-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} %{num_connects};",
                           f"https://127.0.0.1:{server.secure_port}/", "/")
    check(connects == "200 1;200 0;", f"curl: {connects}")


REFUSED = {
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"GET / HTTP/1.1\nHost: a\n\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n": 400,
    b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx": 400,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n": 417,
    b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n": 414,
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n": 431,
    b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n": 501,
    b"GET / HTTP/2.0\r\nHost: a\r\n\r\n": 505,
}


def check_refusals(server):
    for request, status in REFUSED.items():
        back = server.raw(request)
        check(back.startswith(b"HTTP/1.1 %d " % status) and b"\r\nConnection: close\r\n" in back,
              f"{request[:60]}: {back[:60]}, not {status}")


def check_uploads(server):
    """Sized, in chunks, with and without being asked for, and not without an account."""
    data = os.urandom(300000)
    path = IMAGES + "/upload"
    for fields in (["-H", "Expect: 100-continue"], ["-H", "Expect:"],
                   ["-H", "Transfer-Encoding: chunked"]):
        command = ["-X", "PUT", "--data-binary", "@-", "-H", "Content-Type:", *fields,
                   "-o", "/dev/null", "-w", "%{http_code}"]
        result = subprocess.run(["curl", "-sk", "-u", f"{USER}:{PASSWORD}", "--max-time", "60",
                                 *command, f"https://127.0.0.1:{server.secure_port}{path}"],
                                input=data, stdout=subprocess.PIPE)
        check(result.stdout in (b"200", b"201"), f"{fields}: {result.stdout}")
        said = server.curl(path)
        check('"SizeBytes":300000' in said.replace(" ", ""), said)
    check(server.ask(path, "PUT", body=data[:1000])[0].status == 401, "an upload by nobody")
    check(server.curl("-X", "DELETE", "-w", "%{http_code}", path) == "204", "it stays")
    answer, _ = server.ask("/redfish/v1/SessionService/Sessions", "POST", body=bytes(200000))
    check(answer.status == 413, f"a long body: {answer.status}")


def requests_qemu(context):
    server = Server(context, "qemu")
    for secure in (True, False):
        check_answers(server, secure)
    check_connections(server)
    check_refusals(server)
    check_uploads(server)


def requests_bochs(context):
    """Beside a guest that never rests; there is no plain HTTP if nobody asks for it."""
    server = Server(context, "bochs", plain=False, memory=1024,
                    vms=described(context, vm("spin", "shutdown.elf", "spin")))
    check_answers(server, True)
    check_connections(server)
    check(b"HTTP" not in server.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "there is plain HTTP")


class Dripping(threading.Thread):
    """A client that sends a byte a second."""

    def __init__(self, connection, start, rest):
        super().__init__(daemon=True)
        self.connection = connection
        self.rest = rest
        self.seconds = None  # until it was cut off
        connection.sendall(start)
        self.start()

    def run(self):
        began = time.monotonic()
        self.connection.settimeout(1)
        try:
            for byte in self.rest:
                self.connection.sendall(bytes([byte]))
                try:
                    # An answer comes before the end, and then nothing more.
                    while self.connection.recv(4096):
                        pass
                    break
                except TimeoutError:
                    pass
        except OSError:
            pass
        self.seconds = time.monotonic() - began
        self.connection.close()


def slow_clients(context):
    """Clients that are slow, silent and many do not stop one that is neither."""
    server = Server(context, "qemu")
    before = server.memory()
    header = b"GET / HTTP/1.1\r\nHost: " + b"a" * 100
    upload = f"PUT {IMAGES}/slow HTTP/1.1\r\nHost: a\r\nAuthorization: {basic()}\r\n".encode()
    dripping = [Dripping(server.connect(secure), b"", header) for secure in (True, False)]
    dripping.append(Dripping(server.connect(), upload + b"Content-Length: 100\r\n\r\n", bytes(100)))
    silent = []
    slowest = 0
    for number in range(IDLE):
        # Half of them before TLS begins, the others where there is none.
        port = server.secure_port if number % 2 else server.plain_port
        silent.append(socket.create_connection(("127.0.0.1", port), 20))
        if number % 10 == 0:
            start = time.monotonic()
            answer, _ = server.ask("/", secure=number % 20 == 0)
            check(answer.status == 200, f"beside {number} silent ones: {answer.status}")
            slowest = max(slowest, time.monotonic() - start)
    check(slowest < 10, f"an answer took {slowest:.1f} s")
    for client in dripping:
        client.join(60)
        check(client.seconds is not None and 5 < client.seconds < 40,
              f"a client of a byte a second was cut off after {client.seconds} s")
    for connection in silent:
        connection.close()
    check(server.ask("/")[0].status == 200, "no answer after the silent ones")
    server.settled_memory(before, 4096)


def on_a_wire(context):
    """A machine whose network is a wire on which a test can send any frame; the wire and the box."""
    wired = wire.Wire()
    box = context.boot("qemu", nic="e1000e", memory=512, wire=wired.ports(),
                       cmdline=f"{account()} http {wire.OPTION}")
    box.expect(r"tls: self-made certificate", 60, reject=PANIC)
    return wired, box


def half_open(context):
    """Connections that are begun and never finished, some at once and then many without end, do not
    stop one that is."""
    wired, box = on_a_wire(context)
    port = 20000
    silent = [wire.Client(wired, "10.6.0.2", 5000 + number, 80) for number in range(40)]
    check(all([client.connect(5) for client in silent]), "no connection when all is quiet")
    for number in range(IDLE):
        wired.syn(f"10.8.0.{number}", 3000, 443 if number % 2 else 80)
    flooding = threading.Event()
    flooding.set()

    def flood():
        number = 0
        while flooding.is_set():
            number += 1
            wired.syn(f"10.7.{number >> 8 & 255}.{number & 255}", 4000, 443 if number % 2 else 80)
            time.sleep(0.004)

    for _ in range(2):
        for _ in range(5):
            port += 1
            client = wire.Client(wired, "10.6.0.1", port, 80)
            start = time.monotonic()
            check(client.connect(15), "no connection beside half-open ones")
            client.send(wire.ACK | wire.PSH, b"GET / HTTP/1.0\r\n\r\n")
            check(client.receive(b"HTTP/1.1 200 OK\r\n", 10), f"the answer: {client.got}")
            check(time.monotonic() - start < 10, "half-open connections make it slow")
        threading.Thread(target=flood, daemon=True).start()
        time.sleep(5)
    flooding.clear()
    check(not re.search(PANIC, box.text), "it panicked")


def deaf_to_tcp(context):
    """Clients that acknowledge nothing have what is sent to them wait, but not so much that there is
    nothing left for others."""
    wired, box = on_a_wire(context)
    request = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {basic()}\r\n\r\n".encode()
    page = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    deaf = [wire.Client(wired, "10.6.0.2", 5000 + number, 80, deaf=True) for number in range(30)]
    for client in deaf:
        check(client.connect(5), "no connection")
        client.send(wire.ACK | wire.PSH, request * 5 if client.address[1] % 2 else page * 30)
    time.sleep(3)
    for number in range(5):
        client = wire.Client(wired, "10.6.0.1", 20000 + number, 80)
        check(client.connect(5), "no connection beside deaf clients")
        client.send(wire.ACK | wire.PSH, page + request)
        check(client.receive(b"</html>", 10), f"the page: {client.got[:100]}")
        check(client.receive(b"innkeeper_network_info", 10), f"the answer: {client.got[:100]}")
    check(not re.search(PANIC, box.text), "it panicked")


def out_of_order(context):
    """Clients that leave a gap in what they send, which is kept until the gap is filled, leave room
    for what others send."""
    wired, box = on_a_wire(context)
    for number in range(30):
        client = wire.Client(wired, "10.6.0.2", 5000 + number, 80)
        check(client.connect(10), "no connection beside clients with gaps")
        client.sequence += 1
        for _ in range(15):
            client.send(wire.ACK | wire.PSH, bytes(1400))
    for number in range(5):
        client = wire.Client(wired, "10.6.0.1", 20000 + number, 80)
        check(client.connect(10), "no connection beside clients with gaps")
        client.send(wire.ACK | wire.PSH, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        check(client.receive(b"</html>", 10), f"the page: {client.got[:100]}")
    check(not re.search(PANIC, box.text), "it panicked")


def slow_reader(context):
    """Clients that ask and never read take a bounded part of the memory, and are cut off."""
    server = Server(context, "qemu")
    before = server.memory()
    request = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {basic()}\r\n\r\n".encode()
    deaf = []
    for number in range(30):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        connection.connect(("127.0.0.1", server.plain_port))
        deaf.append(connection)
        try:
            connection.sendall(request * 300)
        except TimeoutError:
            pass
        if number % 10 == 0:
            check(server.ask("/")[0].status == 200, f"no answer beside {number} deaf ones")
    check(server.memory()[0] < before[0] + (4 << 20), "they take too much memory")
    for connection in deaf:
        connection.close()
    server.settled_memory(before, 4096)


def many_requests(context):
    """Ten thousand requests on two connections leave the memory where it was."""
    server = Server(context, "qemu")
    check(server.ask("/metrics", Authorization=basic())[0].status == 200, "/metrics")
    before = server.memory()
    for secure in (False, True):
        client = server.client(secure)
        for number in range(REQUESTS // 2):
            path = ("/", "/redfish/v1", "/no/such", "/redfish/v1/Systems")[number % 4]
            client.request("GET", path, headers={"Authorization": basic()})
            answer = client.getresponse()
            answer.read()
            check(answer.status in (200, 404), f"{path}: {answer.status}")
        client.close()
    server.settled_memory(before, 0)


def all_cases():
    yield "http: slow and silent clients", slow_clients
    yield f"http: {REQUESTS} requests", many_requests
    yield "http: half-open connections", half_open
    yield "http: deaf clients", slow_reader
    yield "http: clients deaf to TCP", deaf_to_tcp
    yield "http: segments out of order", out_of_order
    yield "http: requests, Bochs", requests_bochs
    yield "http: requests, QEMU", requests_qemu
