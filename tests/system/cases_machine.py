"""The system tests of what the network face does to the machine: VMs and images that come and go."""

import http.client
import http.server
import json
import os
import re
import socket
import threading
import time

import build
from cases import PANIC, PROMPT, check, described, vm
from cases_net import free_port

MIB = 1 << 20
REDFISH = "/redfish/v1"
IMAGES = REDFISH + "/Oem/Innkeeper/Images"


def cycles(image, cmdline, vcpus, cpus):
    """Images and VMs come, run, are disturbed and go many times over, and all memory comes back."""
    def case(context):
        box = context.boot("bochs", cpus=cpus, cmdline="net=off machine-cycles=200",
                           vms=described(context, vm("first", image, cmdline, vcpus=vcpus,
                                                     autostart=False)))
        end = box.expect(r"machine-cycles: .*(frames|failed).*\n", 600, reject=PANIC).group(0)
        check("all came back" in end, end)
    return case


class Manager:
    """A machine, and a client of its HTTP without TLS."""

    def __init__(self, context, machine, **options):
        self.port = free_port(socket.SOCK_STREAM)
        options.setdefault("memory", 512)
        options.setdefault("nic", "e1000" if machine == "bochs" else "e1000e")
        self.box = context.boot(machine, cmdline="http", forward=[("tcp", self.port, 80)],
                                **options)
        login = self.box.expect(r"user (\w+), password ([\w-]+)\s", 120, reject=PANIC)
        self.box.expect(r"net: address 10\.0\.2\.15/24", 60, reject=PANIC)
        self.token = None
        session = self.ask("POST", REDFISH + "/SessionService/Sessions",
                           {"UserName": login.group(1), "Password": login.group(2)}, status=201)
        self.token = session.getheader("X-Auth-Token")

    def ask(self, method, path, body=None, status=None):
        """An answer, whose body is in `body`, as JSON if it is that."""
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        headers = {"X-Auth-Token": self.token} if self.token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers,
                           encode_chunked=not (body is None or isinstance(body, bytes)))
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        if answer.body and "json" in answer.getheader("Content-Type", ""):
            answer.body = json.loads(answer.body)
        if status is not None:
            check(answer.status == status, f"{method} {path}: {answer.status} {answer.body}")
        return answer

    def get(self, path):
        return self.ask("GET", REDFISH + path, status=200).body

    def system(self, name):
        return self.get("/Systems/" + name)

    def reset(self, name, kind, status):
        return self.ask("POST", f"{REDFISH}/Systems/{name}/Actions/ComputerSystem.Reset",
                        {"ResetType": kind}, status=status)

    def set_boot(self, name, enabled, url):
        self.ask("PATCH", f"{REDFISH}/Systems/{name}",
                 {"Boot": {"BootSourceOverrideTarget": "UefiHttp", "HttpBootUri": url,
                           "BootSourceOverrideEnabled": enabled}}, status=200)

    def task(self, answer):
        """Waits for the task's end: its state and what it says."""
        path = answer.getheader("Location") or answer.body["@odata.id"]
        path = path[path.index("/redfish"):].replace("/TaskMonitors/", "/Tasks/")
        deadline = time.monotonic() + 120
        while True:
            task = self.ask("GET", path, status=200).body
            if task["TaskState"] not in ("New", "Starting", "Running", "Pending"):
                return task["TaskState"], json.dumps(task.get("Messages", []))
            check(time.monotonic() < deadline, f"the task does not end: {task}")
            time.sleep(0.2)

    def fetch(self, url, name="fetched"):
        return self.task(self.ask("POST", IMAGES, {"Name": name, "ImageURI": url}, status=202))

    def memory(self):
        """Free bytes, when what was asked last is over."""
        time.sleep(1)
        text = self.ask("GET", "/metrics", status=200).body.decode()
        return [line for line in text.splitlines()
                if line.startswith(("innkeeper_memory_free_bytes", "innkeeper_heap"))]

    def memory_at_rest(self):
        """The same once nothing changes by itself any more: an address that comes late makes a new
        certificate, and VMs that were deleted go when their threads have ended."""
        deadline = time.monotonic() + 90
        memory, since = self.memory(), time.monotonic()
        while time.monotonic() < since + 8:
            check(time.monotonic() < deadline, f"memory changes without end, now {memory}")
            last, memory = memory, self.memory()
            if memory != last:
                since = time.monotonic()
        return memory

    def check_memory(self, before):
        """It is as it was, once connections that have broken off are noticed."""
        deadline = time.monotonic() + 30
        while (after := self.memory()) != before:
            check(time.monotonic() < deadline, f"memory: {before} before, {after} after")
            time.sleep(1)


class Files(http.server.BaseHTTPRequestHandler):
    """Files, and everything that can be wrong with them."""

    files = {}
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):  # pylint: disable=invalid-name
        self.close_connection = True
        path = self.path.split("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere/")
            self.end_headers()
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(bytes(300000))
        elif path == "/huge":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(100000))
            except OSError:
                pass  # it had enough
        elif path == "/hang":
            self.send_response(200)
            self.end_headers()
            time.sleep(60)
        elif path in self.files:
            body = self.files[path]
            self.send_response(200)
            if path.endswith(".chunked"):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for at in range(0, len(body), 77777):
                    part = body[at:at + 77777]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
        else:
            self.send_error(404)


class Server:
    """A server of files on this host, as the machine sees it."""

    def __init__(self, files):
        handler = type("Handler", (Files,), {"files": files})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://10.0.2.2:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def fetching(context):
    """Files by URL, and servers that do not have them, hang up, or never stop."""
    data = os.urandom(5 * MIB + 123)
    with Server({"/data": data, "/data.chunked": data, "/empty": b""}) as server:
        manager = Manager(context, "qemu", memory=256)
        wrong = {
            server.url + "/nothing": "404 Not Found",
            server.url + "/moved": "302 Found, to http://elsewhere/",
            server.url + "/cut": "broke before all had come",
            server.url + "/huge": "no memory",
            server.url + "/endless": "no memory",
            server.url + "/empty": "empty",
            f"http://10.0.2.2:{free_port(socket.SOCK_STREAM)}/x": "connection refused",
            "http://no-such-host.invalid/x": "no such host",
        }

        def all_wrong():
            for url, reason in wrong.items():
                state, text = manager.fetch(url)
                check(state == "Exception" and reason in text, f"{url}: {state}: {text}")

        def all_right():
            for url in (server.url + "/data", server.url + "/data.chunked"):
                state, text = manager.fetch(url)
                check(state == "Completed", text)
                size = manager.ask("GET", IMAGES + "/fetched", status=200).body
                check(str(len(data)) in json.dumps(size), f"{size}")
            manager.ask("DELETE", IMAGES + "/fetched", status=204)

        all_wrong()
        all_right()
        before = manager.memory_at_rest()
        all_right()
        all_wrong()
        hanging = manager.ask("POST", IMAGES, {"Name": "x", "ImageURI": server.url + "/hang"},
                              status=202)
        path = hanging.getheader("Location")
        path = path[path.index("/redfish"):].replace("/TaskMonitors/", "/Tasks/")
        manager.ask("DELETE", path, status=204)
        manager.check_memory(before)


def uploads(context):
    """200 uploads, whole and broken off, leave memory as it was."""
    manager = Manager(context, "qemu")
    data = os.urandom(3 * MIB // 2)

    def upload(number):
        whole = data[:len(data) - number % 100 * 1000]
        if number % 4 == 3:  # gone in the middle
            with socket.create_connection(("127.0.0.1", manager.port), 20) as connection:
                connection.sendall((f"PUT {IMAGES}/part HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "
                                    f"{manager.token}\r\nContent-Length: {len(whole)}\r\n\r\n")
                                   .encode() + whole[:len(whole) // 2])
                time.sleep(0.05)
            return
        body = whole if number % 4 else iter([whole[:100000], whole[100000:]])
        manager.ask("PUT", IMAGES + "/data", body, status=201)
        if number % 4 == 2:
            manager.ask("PUT", IMAGES + "/data", b"in its place", status=200)
        manager.ask("DELETE", IMAGES + "/data", status=204)

    for number in range(8):
        upload(number)
    before = manager.memory_at_rest()
    for number in range(200):
        upload(number)
    manager.check_memory(before)


def boot_by_url(context):
    """A VM runs, once and then always, what a URL gives it; what cannot be had leaves it alone."""
    with open(build.find_module("shutdown.elf", {}), "rb") as file:
        image = file.read()
    with Server({"/boot/shutdown.elf": image, "/page": b"<html>" * 1000}) as server:
        manager = Manager(context, "bochs", memory=1024, vms=described(
            context, vm("one", "life.elf", "", autostart=False)))
        box = manager.box
        url = server.url + "/boot/shutdown.elf"
        # Power off while it waits for its image.
        manager.set_boot("one", "Once", server.url + "/hang")
        waiting = manager.reset("one", "On", 202)
        manager.reset("one", "On", 409)
        manager.ask("DELETE", REDFISH + "/Systems/one", status=409)
        manager.reset("one", "ForceOff", 204)
        check(manager.task(waiting)[0] == "Cancelled", "the task goes on")
        manager.set_boot("one", "Once", url)
        state, text = manager.task(manager.reset("one", "On", 202))
        check(state == "Completed", text)
        box.expect(r"vm one stopped: ", 60, reject=PANIC)
        check(manager.system("one")["Boot"]["BootSourceOverrideEnabled"] == "Disabled",
              "the override is still there")
        manager.reset("one", "On", 204)
        box.expect(r"one\| alive", 60, reject=PANIC)
        # What cannot be booted does not cost the VM that runs its power.
        for path, reason in (("/nothing", "404"), ("/page", "neither a Linux kernel")):
            manager.set_boot("one", "Continuous", server.url + path)
            state, text = manager.task(manager.reset("one", "ForceRestart", 202))
            check(state == "Exception" and reason in text, text)
        check(manager.system("one")["PowerState"] == "On", "it does not run any more")
        manager.set_boot("one", "Continuous", url)
        for kind in ("PowerCycle", "On"):
            state, text = manager.task(manager.reset("one", kind, 202))
            check(state == "Completed", text)
            box.expect(r"vm one stopped: (?!killed)", 60, reject=PANIC)
        check(manager.system("one")["Boot"]["BootSourceOverrideEnabled"] == "Continuous",
              "the override is gone")


def linux_by_url(context):
    """A Linux whose kernel comes by a URL, and the rest from its description."""
    with open(build.find_module("vmlinuz", {}), "rb") as file:
        kernel = file.read()
    description = context.file("url.json", json.dumps({"vms": [{
        "name": "linux", "memory": "256M", "autostart": False,
        "linux": {"kernel": "by-url", "initrd": "initrd",
                  "cmdline": "console=ttyS0,115200"}}]}))
    with Server({"/vmlinuz": kernel}) as server:
        manager = Manager(context, "bochs", memory=1024, vms=description)
        box = manager.box
        check("there is no image" in json.dumps(manager.reset("linux", "On", 404).body),
              "it starts from nothing")
        manager.set_boot("linux", "Once", server.url + "/vmlinuz")
        state, text = manager.task(manager.reset("linux", "On", 202))
        check(state == "Completed", text)
        box.expect(PROMPT, 400, reject=PANIC)
        # Its own restart is not from the URL any more, and so from nothing.
        box.send("\x1d1reboot\r")
        box.expect(r"vm linux stopped: the reset failed", 120, reject=PANIC)
        check("by-url: there is no image" in box.text, "no reason")


def actions(context):
    """A VM from its description to its end, with all that can be done to it between; then the
    machine's own end."""
    with open(build.find_module("life.elf", {}), "rb") as file:
        image = file.read()
    manager = Manager(context, "bochs", memory=1024, cpus=2)
    box = manager.box
    path = REDFISH + "/Systems/new"

    def state(expected):
        deadline = time.monotonic() + 20
        while (now := manager.system("new")["Oem"]["Innkeeper"]["State"]) != expected:
            check(time.monotonic() < deadline, f"it is {now}, not {expected}")

    broken = manager.ask("POST", REDFISH + "/Systems", b'{"name": "new",\n "memory": "lots"}',
                         status=400)
    check("description:2:12: " in json.dumps(broken.body), f"{broken.body}")
    manager.ask("POST", REDFISH + "/Systems", {
        "name": "new", "memory": "16M", "vcpus": 2, "sched": {"cap": 150},
        "multiboot": {"image": "image"}}, status=201)
    state("defined")
    missing = manager.reset("new", "On", 404).body
    check("there is no image of that name" in json.dumps(missing), f"{missing}")
    manager.ask("PUT", IMAGES + "/image", image, status=201)
    manager.reset("new", "On", 204)
    box.expect(r"new\| alive", 60, reject=PANIC)
    manager.ask("DELETE", IMAGES + "/image", status=409)
    manager.ask("DELETE", path, status=409)
    manager.reset("new", "Pause", 204)
    state("paused")
    manager.reset("new", "GracefulShutdown", 409)
    manager.reset("new", "Resume", 204)
    state("running")
    share = {"Oem": {"Innkeeper": {"Sched": {"Weight": 300, "Cap": 50}}}}
    manager.ask("PATCH", path, share, status=200)
    share["Oem"]["Innkeeper"]["Sched"]["Cap"] = 201
    manager.ask("PATCH", path, share, status=400)
    manager.reset("new", "ForceRestart", 204)
    box.expect(r"vm new: reset, number 1[^0-9][^$]*new\| alive", 60, reject=PANIC)
    # An image that is replaced stays with who runs it.
    manager.ask("PUT", IMAGES + "/image", b"no image any more", status=200)
    manager.reset("new", "ForceRestart", 204)
    box.expect(r"new\| alive", 60, reject=PANIC)
    manager.ask("PUT", IMAGES + "/image", image, status=200)
    manager.reset("new", "GracefulRestart", 204)
    box.expect(r"vm new stopped: power-off[^$]*new\| alive", 60, reject=PANIC)
    manager.reset("new", "PowerCycle", 204)
    box.expect(r"vm new stopped: killed[^$]*new\| alive", 60, reject=PANIC)
    manager.reset("new", "ForceOff", 204)
    manager.reset("new", "On", 204)
    box.expect(r"vm new stopped: killed[^$]*new\| alive", 60, reject=PANIC)
    manager.reset("new", "Nmi", 204)
    box.expect(r"new\| .*vector 2\b", 20, reject=PANIC)
    manager.ask("POST", path + "/Actions/ComputerSystem.Reset", {"ResetType": "ForceOff"})
    manager.ask("DELETE", path, status=204)
    manager.ask("GET", path, status=404)
    manager.ask("DELETE", IMAGES + "/image", status=204)
    manager.ask("POST", REDFISH + "/Managers/innkeeper/Actions/Manager.Reset",
                {"ResetType": "ForceOff"}, status=204)
    deadline = time.monotonic() + 20
    while box.process.poll() is None:
        check(time.monotonic() < deadline, "the machine did not turn itself off")
        time.sleep(0.1)


def at_once(context):
    """The network and the console deal with VMs at the same time, also with the same one."""
    with open(build.find_module("shutdown.elf", {}), "rb") as file:
        image = file.read()
    manager = Manager(context, "bochs", memory=1024, cpus=2, vms=described(
        context, vm("mine", "life.elf", "", autostart=False)))
    box = manager.box
    stop = threading.Event()
    seen = set()
    manager.ask("PUT", IMAGES + "/image", image, status=201)

    def network():
        rounds = 0
        while not stop.is_set():
            seen.add(manager.ask("POST", REDFISH + "/Systems", {
                "name": "theirs", "memory": "8M",
                "multiboot": {"image": "image", "cmdline": "spin"}}).status)
            for name, kind in (("theirs", "On"), ("mine", "On"), ("theirs", "PowerCycle"),
                               ("mine", "Pause"), ("mine", "ForceOff"), ("theirs", "ForceOff")):
                seen.add(manager.reset(name, kind, None).status)
            manager.ask("DELETE", REDFISH + "/Systems/" + ("theirs", "mine")[rounds % 2])
            rounds += 1
        return rounds

    before = None
    for _ in range(2):
        thread = threading.Thread(target=network, daemon=True)
        stop.clear()
        thread.start()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for line in ("define mine", "start mine", "vms", "attach theirs", "kill theirs",
                         "vcpus", "reset mine", "exits mine", "delete theirs", "kill mine"):
                box.send(line + "\r\x1d0")
                time.sleep(0.1)
        stop.set()
        thread.join(60)
        check(not thread.is_alive(), "a request has no answer")
        for name in ("theirs", "mine"):
            manager.reset(name, "ForceOff", None)
            manager.ask("DELETE", REDFISH + "/Systems/" + name)
        check(manager.get("/Systems")["Members"] == [], "a VM is left")
        if before is None:
            before = manager.memory_at_rest()
    check(seen <= {201, 204, 404, 409}, f"answers: {seen}")
    manager.check_memory(before)
    check(not re.search(PANIC, box.text), "it is broken")


def all_cases():
    yield "machine: 200 cycles on one CPU", cycles("shutdown.elf", "spin", 2, 1)
    yield "machine: 200 cycles on four CPUs", cycles("shutdown.elf", "spin", 2, 4)
    yield "machine: boot by URL", boot_by_url
    yield "machine: Linux by URL", linux_by_url
    yield "machine: actions", actions
    yield "machine: console and network at once", at_once
    yield "machine: fetching", fetching
    yield "machine: 200 uploads", uploads
