"""The system tests of who may use the management interface, and of what goes with it: metrics,
consoles over the network, syslog."""

import base64
import os
import pty
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import build
import password
import web_socket

from cases import PANIC, check, described, vm
from cases_net import free_port

ADMIN = "secret of the admin"
LOOK = "may only look"
ACCOUNTS = " ".join([password.user_option("admin", ADMIN, 1000),
                     password.user_option("look", LOOK, 1000, read_only=True)])
READY = r"http: port 443, with TLS"
ADDRESS = r"net: address 10\.0\.2\.15/24"
NETWORK = "10.0.2.2"  # this host, from the machine
LOGIN = r"Login for the network: user admin, password (\S+)"


class Managed:
    """A machine with its HTTPS port and perhaps others forwarded to ports here."""

    def __init__(self, context, machine="qemu", cmdline=ACCOUNTS, forward=(), **options):
        self.port = free_port(socket.SOCK_STREAM)
        self.ports = {port: free_port(socket.SOCK_STREAM) for port in forward}
        options.setdefault("memory", 512)
        self.box = context.boot(machine, nic="default", cmdline=cmdline,
                                forward=[("tcp", self.port, 443)] + [
                                    ("tcp", here, there) for there, here in self.ports.items()],
                                **options)
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE

    def said(self, pattern, timeout=120):
        """Waits for what the machine says at any time since its start: CPUs and threads say their
        things in no order."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.box.text, re.MULTILINE)):
            check(not re.search(PANIC, self.box.text), "a panic")
            check(not self.box.ended and time.monotonic() < deadline, f"it did not say {pattern!r}")
            time.sleep(0.1)
        return match

    def ready(self):
        self.said(READY)
        self.said(ADDRESS)
        return self

    def get(self, path, user=None, secret=None):
        """Status, headers and text of an answer."""
        request = urllib.request.Request(f"https://localhost:{self.port}{path}")
        if user:
            request.add_header(*basic(user, secret))
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def status(self, user=None, secret=None, path="/metrics"):
        return self.get(path, user, secret)[0]

    def console(self, name, user="admin", secret=ADMIN):
        header = ": ".join(basic(user, secret))
        return web_socket.WebSocket(self.port, f"/console/{name}", [header])


def basic(user, secret):
    return "Authorization", "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def passwords(context):
    """Who has one gets in, and who guesses waits; the log tells who it was."""
    managed = Managed(context).ready()
    managed.said(r"access: 2 accounts")
    check("Login for the network" not in managed.box.text, "a password beside those configured")
    check(managed.status() == 401, "no password is none")
    check(managed.status("admin", ADMIN) == 200, "the right password")
    check(managed.status("look", LOOK) == 200, "the one that may only look")
    check(managed.status("admin", LOOK) == 401, "another's password")
    managed.said(r"warn: audit: -@10\.0\.2\.2: wrong password for admin")
    check(managed.status("nobody", ADMIN) == 401, "an unknown name")
    managed.said(r"warn: audit: -@10\.0\.2\.2: wrong password for an unknown name")
    codes = []
    while 429 not in codes and len(codes) < 12:  # the waits grow, however slow this machine is
        codes.append(managed.status("look", "guess"))
    check(codes[0] == 401 and codes[-1] == 429, f"guesses: {codes}")
    status, headers, _ = managed.get("/metrics", "look", LOOK)
    check(status == 429, "the right one after too many wrong ones")
    time.sleep(int(headers["Retry-After"]) + 0.2)
    check(managed.status("look", LOOK) == 200, "after the wait")


def first_password(context):
    """Without accounts there is one, with a password that only the console shows."""
    collector = Collector()
    managed = Managed(context, cmdline=collector.option())
    secret = managed.said(LOGIN).group(1)
    managed.ready()
    check(re.fullmatch(r"[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){3}", secret), secret)
    check(managed.status("admin", secret) == 200, "the password shown")
    check(managed.status("admin", secret[:-1]) == 401, "a shorter one")
    collector.wait(r"net: address 10\.0\.2\.15")
    check(secret not in collector.text(), "the password went to the log")
    collector.close()
    managed.box.send("log 200\r")
    managed.said(r"(?s)log 200.*http: port 443")
    check(managed.box.text.count(secret) == 1, "the log shows the password again")
    managed.box.send("password nobody\r")
    managed.said(r'error: access: there is no account "nobody"')
    managed.box.send("password admin\r")
    managed.said(r"(?s)audit: the console: gives admin a new password.*" + LOGIN)
    other = re.findall(LOGIN, managed.box.text)[-1]
    check(other != secret, "the new password is the old one")
    check(managed.status("admin", secret) == 401, "the old password is still right")
    check(managed.status("admin", other) == 200, "the new password is wrong")


def accounts_file(context):
    """Accounts from a file, with what is wrong in it."""
    text = ('{"accounts": [\n {"name": "ann", "password_hash": "%s"},\n'
            ' {"name": "bob", "password": "short"},\n'
            ' {"name": "look", "password": "%s", "role": "read-only"}]}\n'
            % (password.make_hash(ADMIN, 2000), LOOK))
    managed = Managed(context, cmdline="accounts=who.json",
                      modules={"who.json": context.file("who.json", text)})
    managed.said(r'error: access: who\.json:3:2: account "bob": a password has 8 to 127 bytes')
    managed.said(r"access: 2 accounts")
    managed.ready()
    check(managed.status("ann", ADMIN) == 200, "a hash from the file")
    check(managed.status("look", LOOK) == 200, "a password from the file")
    check(managed.status("bob", "short") == 401, "the wrong one")
    check("no VM description" not in managed.box.text or "who.json" not in managed.box.text.split(
        "no VM description")[1].splitlines()[0], "the accounts are taken for VMs")


def promtool():
    """The path of Prometheus' own checker, from Debian's package, which need not be installed."""
    found = shutil.which("promtool")
    if found:
        return found
    path = os.path.join(build.IMAGES, "promtool")
    if not os.path.exists(path):
        subprocess.run([os.path.join(build.ROOT, "tools", "fetch"), "--promtool", build.IMAGES],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return path


def check_metrics(text):
    result = subprocess.run([promtool(), "check", "metrics"], input=text, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check(result.returncode == 0 and not result.stdout, f"promtool: {result.stdout}")


def metric(text, name):
    match = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    check(match, f"no {name} in\n{text}")
    return float(match.group(1))


def busy_seconds(text):
    """Of all CPUs: which of them serves the network is the scheduler's matter."""
    return sum(float(seconds) for seconds in
               re.findall(r"^innkeeper_cpu_busy_seconds_total\{.*\} (\S+)$", text, re.MULTILINE))


def metrics(context):
    """What Prometheus reads is right in its form, and counts."""
    managed = Managed(context).ready()
    check(managed.status("look", LOOK) == 200, "no metrics")
    _, headers, before = managed.get("/metrics", "look", LOOK)
    check(headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", str(headers))
    check_metrics(before)
    check(managed.status() == 401, "without a password")
    _, _, after = managed.get("/metrics", "look", LOOK)
    check(metric(after, 'innkeeper_http_answers_total{code="401"}') == 1, "one was refused")
    check(metric(after, "innkeeper_http_connections") >= 1, "no connection")
    check(busy_seconds(after) > busy_seconds(before), "no CPU has done anything")
    for name in ("innkeeper_uptime_seconds",
                 "innkeeper_network_receive_bytes_total", "innkeeper_network_transmit_bytes_total",
                 'innkeeper_http_answers_total{code="200"}'):
        check(metric(after, name) > metric(before, name), f"{name} stays")
    check(abs(metric(after, "innkeeper_boot_time_seconds") + metric(after, "innkeeper_uptime_seconds")
              - time.time()) < 300, "the time is wrong")


def metrics_of_vms(context):
    """The same with VMs that run."""
    managed = Managed(context, "bochs", memory=1024,
                      vms=described(context, vm("spin", "shutdown.elf", "spin"),
                                    vm("exits", "shutdown.elf", "exit-flood"),
                                    vm("later", "shutdown.elf", "debug-exit", autostart=False,
                                       vcpus=3))).ready()
    _, _, before = managed.get("/metrics", "look", LOOK)
    check_metrics(before)
    time.sleep(2)
    _, _, after = managed.get("/metrics", "look", LOOK)
    check_metrics(after)
    check(metric(after, "innkeeper_vms") == 3, "three VMs")
    check(metric(after, 'innkeeper_vm_state{vm="spin",state="running"}') == 1, "spin runs")
    check(metric(after, 'innkeeper_vm_state{vm="later",state="defined"}') == 1, "later is defined")
    check(metric(after, 'innkeeper_vcpu_cpu_seconds_total{vm="later",vcpu="2"}') == 0, "later sleeps")
    busiest = 0
    for name in re.findall(r"^(innkeeper_\w+_total\{vm=\S+\}) ", before, re.MULTILINE):
        check(metric(after, name) >= metric(before, name), f"{name} goes back")
        if name.startswith('innkeeper_vm_exits_total{vm="exits"'):
            busiest = max(busiest, metric(after, name) - metric(before, name))
    check(busiest > 1000, "a guest that does nothing but exit, and is not counted")


def web_consoles(context):
    """Two at one console: both read, one types."""
    managed = Managed(context, "bochs", memory=1024,
                      vms=described(context, vm("keys", "shutdown.elf", "count-keys")))
    managed.said(r"keys\| ends by count-keys")
    managed.ready()
    with managed.console("keys") as first, managed.console("keys") as second, \
            managed.console("keys", "look", LOOK) as third:
        for reader, writes in ((first, True), (second, False), (third, False)):
            reader.until(lambda: b"ends by count-keys" in reader.output and reader.told)
            check(reader.told == [{"writer": writes}], f"{reader.told}")
        first.send(b"12345\r")
        for reader in (first, second, third):
            reader.until(lambda: b"6 keys" in reader.output)
        second.send(b"lost\r")
        third.tell(take=True)
        second.tell(take=True)
        second.until(lambda: second.told[-1] == {"writer": True})
        first.until(lambda: first.told[-1] == {"writer": False})
        first.send(b"lost\r")
        second.send(b"123\r")
        for reader in (first, second, third):
            reader.until(lambda: b"keys\n4 keys" in reader.output)
        second.connection.close()
        first.until(lambda: first.told[-1] == {"writer": True})
        first.send(b"x" * 1000 + b"\r")
        third.until(lambda: b"1001 keys" in third.output)
        # The ring that keys wait in has 256 bytes: each of these lines is in there at once, and
        # goes round its end at another place.
        for count in range(1, 9):
            first.send(b"x" * 200 + b"\r")
            third.until(lambda: third.output.count(b"\n201 keys") == count)
        check(len(third.told) == 1, f"{third.told}")
        managed.said(r"audit: look@10\.0\.2\.2: opens the console of keys")
        forget_vm(managed, "keys")
        first.until(lambda: first.closed)
    for name, user, secret, status in (("other", "admin", ADMIN, 404), ("keys", "admin", LOOK, 401)):
        try:
            managed.console(name, user, secret).connection.close()
            check(False, f"a console of {name} for {user}")
        except web_socket.Refused as refused:
            check(refused.status == status, str(refused))


def forget_vm(managed, name):
    managed.box.send(f"kill {name}\r")
    managed.said(rf"vm {name} stopped: killed")
    managed.box.send(f"delete {name}\r")


class Terminal:
    """A TCP connection to a console; telnet's options are refused, and kept out of the text."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), 60)
        self.connection.settimeout(60)
        self.data = b""

    def until(self, text, times=1):
        while self.data.count(text) < times:
            try:
                part = self.connection.recv(4096)
            except TimeoutError:
                part = b""
            check(part, f"no {text!r} in {self.data!r}")
            self.data += part

    def send(self, data):
        self.connection.sendall(data)


def tcp_consoles(context):
    """By telnet and without: a late reader sees what was, and who comes first types."""
    managed = Managed(context, "bochs", memory=1024, forward=(2301, 4001, 2302),
                      cmdline=ACCOUNTS + " console-telnet=2300 console-tcp=4000",
                      vms=described(context, vm("keys", "shutdown.elf", "count-keys")))
    managed.said(r"console of vm keys: TCP port 4001, open to anybody")
    managed.said(r"console of vm keys: telnet port 2301, open to anybody")
    managed.said(r"keys\| ends by count-keys")
    managed.ready()
    bare = Terminal(managed.ports[4001])
    bare.until(b"ends by count-keys")
    check(b"\xff" not in bare.data, f"telnet where there should be none: {bare.data}")
    telnet = Terminal(managed.ports[2301])
    telnet.until(b"ends by count-keys")
    check(telnet.data.startswith(b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x03\xff\xfb\x00\xff\xfd\x00"),
          f"options: {telnet.data}")
    check(b"[somebody else types here: you can read]" in telnet.data, f"{telnet.data}")
    telnet.send(b"lost\r\n")
    bare.send(b"1234\r")
    for terminal in (bare, telnet):
        terminal.until(b"5 keys")
    bare.connection.close()
    telnet.until(b"[you type here now]")
    telnet.send(b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x03\xff\xfc\x00\xff\xfe\x0012\xff\xff3\r\0")
    telnet.until(b"5 keys", 2)
    # What was agreed to is not answered, a refusal once.
    check(b"now]\r\n\xff\xfe\x00\xff\xfc\x00" in telnet.data, f"{telnet.data}")
    closed = socket.create_connection(("127.0.0.1", managed.ports[2302]), 60)
    closed.settimeout(20)
    try:
        check(closed.recv(10) == b"", "a console of a VM that is not there")
    except ConnectionResetError:
        pass
    forget_vm(managed, "keys")
    try:
        while telnet.connection.recv(4096):
            pass
    except ConnectionResetError:
        pass


def telnet_client(context):
    """Debian's telnet with a Linux guest: what was before is there, and a shell answers."""
    managed = Managed(context, "bochs", memory=1024, forward=(2301,),
                      cmdline=ACCOUNTS + " console-telnet=2300", vms="tests/system/linux-pvh.json")
    managed.said(r"linux\| ~ #", 900)
    main, other = pty.openpty()
    with subprocess.Popen(["telnet", "localhost", str(managed.ports[2301])], stdin=other,
                          stdout=other, stderr=other, start_new_session=True) as client:
        try:
            shown = b""

            def until(text):
                nonlocal shown
                deadline = time.monotonic() + 120
                while text not in shown:
                    ready, _, _ = select.select([main], [], [], deadline - time.monotonic())
                    check(ready, f"no {text!r} in {shown[-500:]!r}")
                    shown += os.read(main, 4096)

            until(b"busybox shell")
            until(b"~ # ")
            shown = b""
            os.write(main, b"echo $((6*7)) | tr 4 x\r")
            until(b"\r\nx2\r\n")
            os.write(main, b"sleep 1000\r")
            until(b"sleep 1000\r\n")
            shown = b""
            os.write(main, b"\x03")
            until(b"~ # ")
            check(b"\0" not in shown, f"{shown}")
            os.write(main, b"\x1d")
            until(b"telnet> ")
            os.write(main, b"quit\r")
            client.wait(20)
        finally:
            client.kill()
            os.close(main)
            os.close(other)


class Collector:
    """A syslog server."""

    def __init__(self):
        self.messages = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                self.messages.append(self.socket.recv(4096).decode())
            except OSError:  # closed: the test is over
                return

    def option(self):
        return f"syslog={NETWORK}:{self.socket.getsockname()[1]}"

    def text(self):
        return "\n".join(self.messages)

    def wait(self, pattern, timeout=60):
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.text()):
            check(time.monotonic() < deadline, f"no {pattern} in\n{self.text()}")
            time.sleep(0.2)

    def close(self):
        self.socket.close()


MESSAGE = re.compile(r"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) inn innkeeper - (log|audit) "
                     r'\[meta sequenceId="(\d+)" sysUpTime="(\d+)"\] (.*)')


def syslog(context):
    """The log from its first line on, and who did what."""
    collector = Collector()
    managed = Managed(context, cmdline=f"{ACCOUNTS} hostname=inn {collector.option()}").ready()
    collector.wait(r"net: address 10\.0\.2\.15")
    check(managed.status("admin", LOOK) == 401, "another's password")
    collector.wait(r"<84>1 .* audit .*audit: -@10\.0\.2\.2: wrong password for admin")
    sequences = []
    for message in collector.messages:
        match = MESSAGE.fullmatch(message)
        check(match, message)
        sequences.append(int(match.group(4)))
        severity = int(match.group(1)) & 7
        check((severity < 6) == bool(re.search(r"no VM can run|wrong password", match.group(6))),
              message)
    check(sequences == list(range(1, len(sequences) + 1)), f"{sequences}")
    check("Innkeeper" in collector.messages[0], collector.messages[0])
    collector.close()


def syslog_later(context):
    """What happens while there is no link is told when there is one again."""
    collector = Collector()
    managed = Managed(context, cmdline=f"{ACCOUNTS} {collector.option()}").ready()
    collector.wait(r"net: address 10\.0\.2\.15")
    managed.box.monitor("set_link nic0 off")
    managed.said(r"net: link down")
    managed.box.monitor("set_link nic0 on")
    managed.said(r"(?s)net: link down.*net: link up")
    collector.wait(r"net: link down")
    collector.wait(r"(?s)net: link down.*net: link up")
    collector.close()


def all_cases():
    yield "access: passwords", passwords
    yield "access: first password", first_password
    yield "access: accounts in a file", accounts_file
    yield "access: metrics", metrics
    yield "access: metrics of VMs", metrics_of_vms
    yield "access: consoles over WebSockets", web_consoles
    yield "access: consoles over TCP", tcp_consoles
    yield "access: telnet and a Linux guest", telnet_client
    yield "access: syslog", syslog
    yield "access: syslog, link lost", syslog_later
