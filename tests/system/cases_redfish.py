"""The system tests of Redfish with the clients that people have: curl, sushy, redfishtool, Ansible, and
what docs/examples has of them."""

import json
import os
import re
import subprocess
import time

import build
from cases import check
from cases_access import ACCOUNTS, ADMIN, LOOK, Managed
from cases_machine import Server

ROOT = "/redfish/v1"
EXAMPLES = os.path.join(build.ROOT, "docs", "examples")
PYTHON = "/usr/bin/python3"  # Debian's, which has its packages
PATIENCE = 1200
# Certificates that a user's own settings name would be asked about the machine's.
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
IMAGE = os.path.join(build.BUILD, "tests", "guests", "shutdown.elf")


def run(command, cwd=EXAMPLES):
    """What a client writes; it has to succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in CERTIFICATES}
    environment.update(LC_ALL="C.UTF-8", PYTHONWARNINGS="ignore", ANSIBLE_NOCOLOR="1",
                       ANSIBLE_LOCALHOST_WARNING="False")
    result = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace",
                            timeout=PATIENCE)
    check(result.returncode == 0, f"{command[0]} ended with {result.returncode}: {result.stdout}")
    return result.stdout


class Client:
    """curl, asking a machine."""

    def __init__(self, context, machine="qemu", http=False, **options):
        self.managed = Managed(context, machine, cmdline=ACCOUNTS + (" http" if http else ""),
                               forward=(80,) if http else (), modules={"shutdown.elf": IMAGE}, **options).ready()
        self.address = f"https://localhost:{self.managed.port}"
        if http:
            self.address = f"http://localhost:{self.managed.ports[80]}"

    def ask(self, method, path, body=None, user="admin", secret=ADMIN, fields=()):
        """Status, header fields (in lower case) and the body of an answer; JSON is read."""
        command = ["curl", "-sk", "-i", "--max-time", "120", "-X", method, self.address + path,
                   "-u", f"{user}:{secret}", "-H", "Expect:"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary",
                        body if isinstance(body, str) else json.dumps(body)]
        for field in fields:
            command += ["-H", field]
        head, _, text = run(command).replace("\r\n", "\n").partition("\n\n")
        lines = head.splitlines()
        found = {name.lower(): value for name, value in
                 (line.split(": ", 1) for line in lines[1:])}
        if text and found.get("content-type") == "application/json":
            text = json.loads(text)
        return int(lines[0].split()[1]), found, text

    def get(self, path):
        status, _, body = self.ask("GET", path)
        check(status == 200, f"{path}: {status} {body}")
        return body

    def expect(self, wanted, method, path, body=None, **options):
        status, fields, answer = self.ask(method, path, body, **options)
        check(status == wanted, f"{method} {path}: {status} {answer}, not {wanted}")
        return fields, answer

    def wait_for(self, name, state):
        deadline = time.monotonic() + 60
        while (now := self.get(f"{ROOT}/Systems/{name}")["PowerState"]) != state:
            check(time.monotonic() < deadline, f"{name} is {now}, not {state}")
            time.sleep(0.3)


def description(name):
    return {"name": name, "memory": "16M", "autostart": False,
            "multiboot": {"image": "shutdown.elf", "cmdline": "spin"}}


def links_in(value):
    if isinstance(value, list):
        for one in value:
            yield from links_in(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "@odata.id":
                yield one
            else:
                yield from links_in(one)


def everything(context):
    """Whatever is linked from the root is there, is what its link says, and has a type and a name."""
    client = Client(context, http=True)
    client.expect(201, "POST", ROOT + "/Systems", description("vm"))
    waiting, seen = [ROOT + "/"], set()
    while waiting:
        path = waiting.pop()
        body = client.get(path)
        check(body["@odata.id"] == path, f"{path} says that it is {body['@odata.id']}")
        check("@odata.type" in body and "Name" in body, f"{path} has no type or no name")
        seen.add(path)
        waiting += {link for link in links_in(body) if link not in seen} - set(waiting)
    check(len(seen) > 60, f"only {len(seen)} resources")
    expanded = client.get(ROOT + "/Systems?$expand=.($levels=2)")
    check(expanded["Members"][0]["Processors"]["Members@odata.count"] == 1, str(expanded))


def answers(context):
    """Each status for what it is there for, and an error says what is wrong."""
    client = Client(context)
    expect = client.expect
    fields, _ = expect(201, "POST", ROOT + "/Systems", description("vm"))
    system = fields["location"]
    check(system == ROOT + "/Systems/vm", system)
    fields, body = expect(200, "GET", system)
    check(fields["etag"] == body["@odata.etag"] and fields["odata-version"] == "4.0", str(fields))
    expect(304, "GET", system, fields=["If-None-Match: " + fields["etag"]])
    change = {"Boot": {"BootSourceOverrideTarget": "UefiHttp", "HttpBootUri": "http://10.0.2.2/x"}}
    expect(412, "PATCH", system, change, fields=['If-Match: "0"'])
    _, body = expect(200, "PATCH", system, change, fields=["If-Match: " + fields["etag"]])
    check(body["Boot"]["BootSourceOverrideEnabled"] == "Once", str(body["Boot"]))
    _, body = expect(400, "PATCH", system, {"Boot": {"BootSourceOverrideTarget": "Pxe"}})
    said = body["error"]["@Message.ExtendedInfo"][0]
    check(said["MessageId"].endswith(".PropertyValueNotInList")
          and said["MessageArgs"] == ["Pxe", "BootSourceOverrideTarget"]
          and said["RelatedProperties"] == ["#/Boot/BootSourceOverrideTarget"], str(said))
    _, body = expect(400, "PATCH", system, '{"Boot":')
    check("line 1, column 1: " in str(body), str(body))
    expect(409, "POST", ROOT + "/Systems", description("vm"))
    expect(409, "POST", system + "/Actions/ComputerSystem.Reset", {"ResetType": "Pause"})
    _, body = expect(409, "POST", system + "/Actions/ComputerSystem.Reset", {"ResetType": "Nmi"})
    check(body["error"]["message"] != "", str(body))
    for wanted, method, path in ((404, "GET", "/Systems/none"), (405, "PUT", "/Systems"),
                                 (501, "GET", "/Systems?$filter=x"), (401, "GET", "/Systems"),
                                 (204, "DELETE", "/Systems/vm"), (404, "GET", "/Systems/vm")):
        secret = ADMIN if wanted != 401 else "wrong"
        _, body = expect(wanted, method, ROOT + path, secret=secret)
        check(wanted == 204 or "error" in body, f"{path}: {body}")
    _, body = expect(403, "POST", ROOT + "/Systems", description("vm"), user="look", secret=LOOK)
    check("InsufficientPrivilege" in body["error"]["code"], str(body))
    expect(403, "POST", ROOT + "/AccountService/Accounts",
           {"UserName": "other", "Password": "a long password", "RoleId": "Administrator"},
           user="look", secret=LOOK)
    client.managed.said(r"audit: admin@10\.0\.2\.2: vm vm deleted")


def images(context):
    """An image is uploaded, used and deleted."""
    client = Client(context)
    path = ROOT + "/Oem/Innkeeper/Images/new.elf"
    command = ["curl", "-sk", "-u", f"admin:{ADMIN}", "-w", "%{http_code}", "-o", os.devnull, "-T",
               IMAGE, client.address + path]
    check(run(command) == "201", "an upload")
    check(run(command) == "200", "the same again")
    image = client.get(path)
    check(image["SizeBytes"] == os.path.getsize(IMAGE)
          and image["Source"] == "uploaded", str(image))
    client.expect(201, "POST", ROOT + "/Systems",
                  {"name": "vm", "memory": "16M", "multiboot": {"image": "new.elf"}})
    client.expect(409, "DELETE", path)
    client.expect(204, "DELETE", ROOT + "/Systems/vm")
    client.expect(204, "DELETE", path)
    client.expect(404, "GET", path)


def events(context):
    """What happens comes as it does, and from where a client was when it comes back."""
    client = Client(context, http=True)
    stream = client.get(ROOT + "/EventService")["ServerSentEventUri"]
    command = ["curl", "-sN", "--max-time", "60", "-u", f"admin:{ADMIN}", client.address + stream]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        try:
            check("Innkeeper" in listener.stdout.readline(), "no stream")
            client.expect(201, "POST", ROOT + "/Systems", description("vm"))
            lines = []
            while not lines or not lines[-1].startswith("data: "):
                lines.append(listener.stdout.readline())
                check(lines[-1] != "", f"it ended: {lines}")
        finally:
            listener.terminate()
    event = json.loads(lines[-1].removeprefix("data: "))["Events"][0]
    check(event["EventType"] == "ResourceAdded"
          and event["OriginOfCondition"]["@odata.id"] == ROOT + "/Systems/vm", str(event))
    number = int(next(line for line in lines if line.startswith("id: ")).split()[1])
    with subprocess.Popen(command + ["-H", f"Last-Event-ID: {number - 1}"], stdout=subprocess.PIPE,
                          text=True) as listener:
        try:
            text = "".join(listener.stdout.readline() for _ in range(3))
        finally:
            listener.terminate()
    check(f"id: {number}\n" in text, text)


def image_server():
    with open(IMAGE, "rb") as file:
        return Server({"/image": file.read()})


def sushy(machine):
    """docs/examples/vm.py, with TLS where that is quick, and a VM that runs where it can."""
    def case(context):
        client = Client(context, machine, http=machine == "bochs")
        with image_server() as server:
            said = run([PYTHON, "vm.py", client.address, "admin", ADMIN, "--image", "shutdown.elf",
                        "--cmdline", "spin", "--url", server.url + "/image"]
                       + ([] if machine == "bochs" else ["--no-run"]))
        states = re.findall(r"from-sushy is (\w+)", said)
        running = ["On", "Paused", "On", "Off"]
        check(states == (["Off"] + running * 2 if machine == "bochs" else ["Off"]), said)
        check(said.endswith("Next start: UefiHttp Once\ndeleted\n") or machine == "bochs", said)
        check(client.get(ROOT + "/Systems")["Members"] == [], "it was not deleted")
    return case


def ansible(machine):
    """docs/examples/vm.yml; always by TLS."""
    def case(context):
        client = Client(context, machine)
        with image_server() as server:
            said = run(["ansible-playbook", "vm.yml", "-e", json.dumps({
                "host": f"localhost:{client.managed.port}", "user": "admin", "password": ADMIN,
                "image": "shutdown.elf", "cmdline": "spin", "run": machine == "bochs",
                "url": server.url + "/image"})]
                # Each of its requests has a connection of its own.
                + (["--skip-tags", "look"] if machine == "bochs" else []))
        check(re.search(r"localhost +: ok=\d+ .*unreachable=0 +failed=0", said), said)
        check(client.get(ROOT + "/Systems")["Members"] == [], "it was not deleted")
    return case


def redfishtool(context):
    client = Client(context)

    def tool(*arguments, login=("-A", "Basic")):
        return run(["redfishtool", "-S", "Always", *login, "-r",
                    f"localhost:{client.managed.port}", "-u", "admin", "-p", ADMIN, *arguments])

    client.expect(201, "POST", ROOT + "/Systems", description("vm"))
    check('"Name": "vm"' in tool("Systems", "-I", "vm"), "the system")
    check('"vm"' in tool("Systems", "list", login=("-A", "Session")), "with a session")
    check("Processors/CPU" in tool("Systems", "-I", "vm", "Processors"), "its processor")
    tool("Systems", "-I", "vm", "reset", "ForceOff")
    tool("raw", "PATCH", ROOT + "/Systems/vm", "-d",
         '{"Boot": {"HttpBootUri": "http://10.0.2.2/x", "BootSourceOverrideTarget": "UefiHttp"}}')
    check(client.get(ROOT + "/Systems/vm")["Boot"]["BootSourceOverrideEnabled"] == "Once", "PATCH")
    tool("Systems", "-I", "vm", "setBootOverride", "Disabled")
    check(client.get(ROOT + "/Systems/vm")["Boot"]["BootSourceOverrideEnabled"] == "Disabled",
          "setBootOverride")
    tool("AccountService", "adduser", "new", "a long password", "ReadOnly")
    tool("AccountService", "setpassword", "new", "another password")
    client.expect(200, "GET", ROOT + "/Systems", user="new", secret="another password")
    tool("AccountService", "deleteuser", "new")
    client.expect(404, "GET", ROOT + "/AccountService/Accounts/new")
    tool("SessionService", "setSessionTimeout", "600")
    check(client.get(ROOT + "/SessionService")["SessionTimeout"] == 600, "SessionTimeout")
    for thing in ("Managers", "Chassis"):
        check("innkeeper" in tool(thing, "list"), thing)
    check("EthernetInterfaces/1" in tool("Managers", "-I", "innkeeper", "EthernetInterfaces"),
          "the interface")


def all_cases():
    yield "redfish: sushy, Bochs", sushy("bochs")
    yield "redfish: Ansible, Bochs", ansible("bochs")
    yield "redfish: Ansible", ansible("qemu")
    yield "redfish: sushy", sushy("qemu")
    yield "redfish: redfishtool", redfishtool
    yield "redfish: all resources", everything
    yield "redfish: answers", answers
    yield "redfish: images", images
    yield "redfish: events", events
