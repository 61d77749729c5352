"""What a guest that wants all of a CPU loses of it to requests by HTTPS.

The machine itself counts: its uptime and the guest's CPU time are in /metrics, to the nanosecond. What
passes beside the guest's CPU time is lost, and some of that is lost without any request; a reading is
made while a request for /metrics is answered, so one such lies between each two readings.
"""

import base64
import http.client
import json
import os
import re
import socket
import ssl
import tempfile
import time

import build
import machine
import password

USER, PASSWORD = "bench", "a busy machine"
VM = "busy"
REQUESTS = 50
HANDSHAKES = 10
IDLE_SECONDS = 2

ROWS = {"https_systems": "/redfish/v1/Systems", "https_system": f"/redfish/v1/Systems/{VM}",
        "https_metrics": "/metrics"}
HANDSHAKE = "https_handshake"

ADDRESS = r"net: address \d+\.\d+\.\d+\.\d+/"
CERTIFICATE = r"tls: self-made certificate"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_iso(iso, kernel, directory):
    vms = os.path.join(directory, "busy.json")
    with open(vms, "w", encoding="utf-8") as file:
        json.dump({"vms": [{"name": VM, "memory": "16M", "multiboot":
                            {"image": "shutdown.elf", "cmdline": "spin"}}]}, file)
    build.make_iso(iso, kernel, vms, cmdline=password.user_option(USER, PASSWORD, 1000))


class Client:
    """One connection that stays, and what the machine says of its time."""

    def __init__(self, port):
        self.port = port
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=120,
                                                      context=self.context)
        encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.fields = {"Authorization": f"Basic {encoded}"}

    def get(self, path):
        self.connection.request("GET", path, headers=self.fields)
        answer = self.connection.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise machine.MachineError(f"{path} is answered with {answer.status}: {body}")
        return body

    def shake_hands(self):
        with socket.create_connection(("127.0.0.1", self.port), 120) as connection:
            self.context.wrap_socket(connection).unwrap().close()

    def time(self):
        """What has passed, and what the guest did not have of it, in ticks."""
        text = self.get("/metrics")
        passed, used = (float(re.search(rf"^innkeeper_{name} ([\d.]+)$", text,
                                        re.MULTILINE).group(1)) * machine.BOCHS_IPS
                        for name in ("uptime_seconds",
                                     rf'vcpu_cpu_seconds_total\{{vm="{VM}",vcpu="0"\}}'))
        return passed, passed - used

    def cost(self, work):
        """Ticks that pass and that are lost from one reading to the next, with `work` between."""
        before = self.time()
        work()
        after = self.time()
        return after[0] - before[0], after[1] - before[1]


def measure(client):
    """Row -> ticks of one."""
    for path in ROWS.values():
        client.get(path)
    at_once = client.cost(lambda: None)
    idle = client.cost(lambda: time.sleep(IDLE_SECONDS))
    rate = (idle[1] - at_once[1]) / (idle[0] - at_once[0])

    def of_one(count, work):
        passed, lost = client.cost(lambda: [work() for _ in range(count)])
        return round((lost - at_once[1] - (passed - at_once[0]) * rate) / count)

    found = {name: of_one(REQUESTS, lambda: client.get(path)) for name, path in ROWS.items()}
    found[HANDSHAKE] = of_one(HANDSHAKES, client.shake_hands)
    return found


def run(kernel, started):
    """Boots a machine of one CPU, and measures. `started` runs an ISO in a directory."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "innkeeper.iso")
        port = free_port()
        make_iso(iso, kernel, directory)
        with started(iso, directory, nic="default", forward=[("tcp", port, 443)]) as box:
            box.expect(ADDRESS, 600)
            box.expect(CERTIFICATE, 600)
            return measure(Client(port))
