"""A machine that is none: what the page sees of Innkeeper through Redfish, made up."""

import math
import queue
import threading
import time
import uuid

ROOT = "/redfish/v1"
MIB = 1 << 20
REASONS = {"io": 0.42, "memory": 0.06, "cpuid": 0.02, "msr_write": 0.21, "halt": 0.12,
           "interrupted": 0.13, "control_register": 0.01, "ept_violation": 0.03}
BANNER = ("[    0.000000] Linux version 6.1.0-56-cloud-amd64\r\n"
          "[    0.000000] Command line: console=ttyS0,115200\r\n"
          "[    1.204817] Run /init as init process\r\n\r\n"
          "\x1b[32mLinux 6.1.0-56-cloud-amd64\x1b[0m, busybox shell; poweroff and reboot work.\r\n~ # ")


class Refusal(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Vm:
    def __init__(self, name, memory, vcpus=1, load=0.1, state="defined", linux=None, multiboot=None):
        self.name = name
        self.memory = memory
        self.vcpus = vcpus
        self.load = load
        self.state = state
        self.linux = linux
        self.multiboot = multiboot
        self.weight = 100
        self.cap = 0
        self.stop_reason = ""
        self.starting = False
        self.boot = {"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None",
                     "HttpBootUri": ""}
        self.cpu_time = self.steal = self.exits = 0.0
        self.since = time.monotonic()
        self.console = bytearray(BANNER.encode() if state == "running" else b"")
        self.typed = b""
        self.ignored = b""  # came from somebody who was not the writer
        self.readers = []
        self.writer = None

    def advance(self):
        """Brings the counters up to date."""
        now = time.monotonic()
        seconds, self.since = now - self.since, now
        if self.state != "running":
            return
        busy = self.load * (1 + 0.5 * math.sin(now / 7 + len(self.name)) + 0.2 * math.sin(now * 3))
        self.cpu_time += max(0.0, busy) * seconds
        self.steal += max(0.0, busy) * seconds * 0.03
        self.exits += (400 + 9000 * max(0.0, busy)) * seconds

    def output(self, data):
        self.console += data
        for socket in self.readers:
            socket.send(2, data)

    def type(self, data):
        """What a shell would say."""
        for byte in data:
            if byte == 13:
                command, self.typed = self.typed.decode(errors="replace"), b""
                said = {"uname": "Linux\r\n", "": ""}.get(command, f"-sh: {command}: not found\r\n")
                self.output(b"\r\n" + said.encode() + b"~ # ")
            else:
                self.typed += bytes([byte])
                self.output(bytes([byte]))

    def start(self):
        self.state = "running"
        self.starting = False
        if self.boot["BootSourceOverrideEnabled"] == "Once":
            self.boot["BootSourceOverrideEnabled"] = "Disabled"
        self.cpu_time = self.steal = self.exits = 0.0
        self.stop_reason = ""
        self.output(BANNER.encode())

    def resource(self):
        self.advance()
        path = f"{ROOT}/Systems/{self.name}"
        ran = self.state != "defined"
        return {
            "@odata.id": path,
            "@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem",
            "Id": self.name,
            "Name": self.name,
            "UUID": str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name)),
            "PowerState": {"running": "On", "paused": "Paused"}.get(self.state, "Off"),
            "Status": {"State": "Starting" if self.starting else "Enabled", "Health": "OK"},
            "Boot": {**self.boot,
                     "BootSourceOverrideEnabled@Redfish.AllowableValues": ["Disabled", "Once", "Continuous"],
                     "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "UefiHttp"]},
            "Links": {"ManagedBy": [{"@odata.id": f"{ROOT}/Managers/{self.name}"}]},
            "Actions": {"#ComputerSystem.Reset": {"target": f"{path}/Actions/ComputerSystem.Reset"}},
            "Oem": {"Innkeeper": {
                "State": self.state,
                "Vcpus": self.vcpus,
                "MemoryBytes": self.memory,
                "MemoryTouchedBytes": int(self.memory * min(0.97, 0.3 + self.load / 2)) if ran else 0,
                "CpuTimeNanoseconds": int(self.cpu_time * 1e9),
                "StealTimeNanoseconds": int(self.steal * 1e9),
                "Exits": int(self.exits),
                "ExitsByReason": {reason: int(self.exits * share) for reason, share in REASONS.items()},
                "VcpuStatistics": [{
                    "State": ("running" if number == 0 else "halted") if self.state == "running" else self.state,
                    "Cpu": number % 4, "CpuTimeNanoseconds": int(self.cpu_time * 1e9 / self.vcpus),
                    "Exits": int(self.exits / self.vcpus)} for number in range(self.vcpus)] if ran else [],
                "ConsoleUri": f"/console/{self.name}",
                "StopReason": self.stop_reason,
                "Starts": int(ran),
                "Sched": {"Weight": self.weight, "Cap": self.cap or None},
                "Description": {"Kernel": self.linux["kernel"], "Initrd": self.linux.get("initrd", ""),
                                "Cmdline": self.linux.get("cmdline", "")} if self.linux else
                               {"Image": self.multiboot["image"], "Cmdline": self.multiboot.get("cmdline", "")},
            }},
        }


class Machine:
    def __init__(self):
        self.lock = threading.RLock()
        linux = {"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "console=ttyS0,115200"}
        self.vms = {vm.name: vm for vm in (
            Vm("web-front", 512 * MIB, 2, 0.62, "running", linux),
            Vm("database", 2048 * MIB, 4, 1.7, "running", linux),
            Vm("build-runner", 1024 * MIB, 4, 0.4, "paused", linux),
            Vm("router", 128 * MIB, 1, 0.05, "running", linux),
            Vm("unikernel", 64 * MIB, 1, 0.2, "stopped", multiboot={"image": "kernel.elf", "cmdline": "hello"}),
            Vm("staging", 512 * MIB, 2, 0.3, "defined", linux))}
        self.vms["unikernel"].stop_reason = "debug exit: 0"
        self.vms["router"].cap = 50
        self.images = {"vmlinuz": (8 * MIB, "module"), "initrd": (2 * MIB, "module"),
                       "kernel.elf": (180_000, "uploaded")}
        self.tasks = []
        self.listeners = []  # queues of the paths at which something happened; None ends one
        self.started = time.monotonic()
        self.entries = []
        for text, severity in (("Innkeeper 0.1.0, loaded at 0x200000 by GRUB 2.06", "OK"),
                               ("VT-x is on: EPT, unrestricted guest, VPID, preemption timer", "OK"),
                               ("net: link up, 10.0.2.15/24 by DHCP, gateway 10.0.2.2", "OK"),
                               ("vm build-runner: 1024 MiB, 4 vCPUs, image vmlinuz", "OK"),
                               ("vm unikernel stopped: debug exit: 0", "OK"),
                               ("clock: nobody knows the date yet", "Warning"),
                               ("vms.json:14:9: unknown key memroy", "Critical")):
            self.log(text, severity)

    def log(self, text, severity="OK"):
        self.entries.append({"Id": str(int(self.entries[-1]["Id"]) + 1 if self.entries else 0), "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                             "Severity": severity, "Message": text})

    def tell(self, path):
        for listener in list(self.listeners):
            listener.put(path and f"{ROOT}/{path}")

    def listen(self):
        listener = queue.Queue()
        self.listeners.append(listener)
        return listener

    def find(self, name):
        if name not in self.vms:
            raise Refusal(404, f"There is no VM {name}.")
        return self.vms[name]

    def reset(self, name, kind):
        vm = self.find(name)
        vm.advance()
        if kind == "On" and vm.state in ("defined", "stopped"):
            if vm.boot["BootSourceOverrideEnabled"] != "Disabled":
                vm.starting = True
                url = vm.boot["HttpBootUri"]
                return self.fetch(f"fetch {url} for vm {name}", url, vm.start, name)
            vm.start()
        elif kind == "Pause" and vm.state == "running":
            vm.state = "paused"
        elif kind == "Resume" and vm.state == "paused":
            vm.state = "running"
        elif kind == "ForceRestart" and vm.state in ("running", "paused"):
            vm.cpu_time = vm.steal = vm.exits = 0.0
        elif kind in ("ForceOff", "GracefulShutdown") and vm.state in ("running", "paused"):
            vm.state = "stopped"
            vm.stop_reason = "killed" if kind == "ForceOff" else "power-off"
        else:
            raise Refusal(409, f"VM {name} is {vm.state}: {kind} is not possible.")
        self.log(f"vm {name}: {kind} by admin from 10.0.2.2")
        self.tell(f"Systems/{name}")
        return None

    def fetch(self, name, url, then, vm=None):
        """A task that takes two seconds; what is missing is not found."""
        task = {"Id": str(len(self.tasks) + 1), "@odata.id": f"{ROOT}/TaskService/Tasks/{len(self.tasks) + 1}",
                "Name": name, "TaskState": "Running", "PercentComplete": 0, "Messages": [],
                "Oem": {"Innkeeper": {"FetchedBytes": 0, "AllBytes": 5_000_000,
                                      "System": {"@odata.id": f"{ROOT}/Systems/{vm}"}}}}
        self.tasks.append(task)
        self.tell(f"TaskService/Tasks/{task['Id']}")

        def work():
            for share in range(0, 101, 10):
                time.sleep(0.2)
                with self.lock:
                    if task["TaskState"] != "Running":
                        return
                    task["PercentComplete"] = share
                    task["Oem"]["Innkeeper"]["FetchedBytes"] = share * 50_000
            with self.lock:
                if "missing" in url:
                    task["TaskState"] = "Exception"
                    task["Messages"] = [{"Message": f"{url}: the server answers 404"}]
                else:
                    task["TaskState"] = "Completed"
                    then()
                    self.tell(f"Systems/{vm}" if vm else "Oem/Innkeeper/Images")
                self.tell(f"TaskService/Tasks/{task['Id']}")
        threading.Thread(target=work, daemon=True).start()
        return task

    def create(self, description):
        vm = description["vms"][0] if "vms" in description else description
        for key in vm:
            if key not in ("name", "memory", "vcpus", "sched", "autostart", "linux", "multiboot"):
                raise Refusal(400, f"1:2: unknown key {key}")
        if vm["name"] in self.vms:
            raise Refusal(409, f"There is a VM {vm['name']} already.")
        image = vm.get("linux", {}).get("kernel") or vm.get("multiboot", {}).get("image")
        if image not in self.images:
            raise Refusal(400, f"vm {vm['name']}: there is no image {image}")
        memory = vm["memory"]
        if isinstance(memory, str):
            memory = int(memory[:-1]) * 1024 ** " KMG".index(memory[-1])
        made = Vm(vm["name"], memory, vm.get("vcpus", 1), 0.3, "defined", vm.get("linux"), vm.get("multiboot"))
        made.weight = vm.get("sched", {}).get("weight", 100)
        made.cap = vm.get("sched", {}).get("cap", 0)
        self.vms[made.name] = made
        self.tell(f"Systems/{made.name}")
        return made

    def change(self, name, body):
        vm = self.find(name)
        vm.boot.update(body.get("Boot", {}))
        sched = body.get("Oem", {}).get("Innkeeper", {}).get("Sched", {})
        vm.weight = sched.get("Weight", vm.weight)
        vm.cap = sched.get("Cap", vm.cap)
        self.tell(f"Systems/{name}")

    def delete(self, name):
        vm = self.find(name)
        if vm.state in ("running", "paused"):
            raise Refusal(409, f"VM {name} is {vm.state}; it has to be ended first.")
        del self.vms[name]
        self.tell(f"Systems/{name}")

    def delete_image(self, name):
        if name not in self.images:
            raise Refusal(404, f"There is no image {name}.")
        if self.images[name][1] == "module":
            raise Refusal(409, f"Image {name} is a boot module.")
        users = self.users(name)
        if users:
            raise Refusal(409, f"Image {name} is used by {users} VMs.")
        del self.images[name]
        self.tell(f"Oem/Innkeeper/Images/{name}")

    def add_image(self, name, size, source):
        self.images[name] = (size, source)
        self.tell(f"Oem/Innkeeper/Images/{name}")

    def users(self, image):
        return sum(image in str(vm.linux or "") + str(vm.multiboot or "") for vm in self.vms.values())

    def image_resource(self, name):
        size, source = self.images[name]
        return {"@odata.id": f"{ROOT}/Oem/Innkeeper/Images/{name}", "Id": name, "Name": name,
                "SizeBytes": size, "Source": source, "UsedBy": self.users(name)}

    def manager(self):
        up = time.monotonic() - self.started
        return {"@odata.id": f"{ROOT}/Managers/innkeeper", "Id": "innkeeper", "Name": "Innkeeper",
                "FirmwareVersion": "0.1.0", "DateTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "Oem": {"Innkeeper": {
                    "UptimeSeconds": up + 4242, "CpuName": "Intel(R) Core(TM) i7-7800X CPU @ 3.50GHz",
                    "Loader": "GRUB 2.06-13+deb12u2", "MemoryBytes": 8192 * MIB,
                    "MemoryFreeBytes": 4410 * MIB, "HeapUsedBytes": 3 * MIB + 400_000,
                    "Cpus": [{"BusyTimeNanoseconds": int(up * (0.2 + 0.15 * number) * 1e9)} for number in range(4)],
                    "Network": {"ReceivedBytes": int(up * 9000), "SentBytes": int(up * 42000)}}}}

    def interfaces(self):
        return [{"@odata.id": f"{ROOT}/Managers/innkeeper/EthernetInterfaces/0", "Id": "0", "HostName": "innkeeper",
                 "LinkStatus": "LinkUp", "MACAddress": "52:54:00:12:34:56",
                 "IPv4Addresses": [{"Address": "10.0.2.15"}], "IPv6Addresses": [{"Address": "fe80::5054:ff:fe12:3456"}],
                 "NameServers": ["10.0.2.3"]}]
