#!/usr/bin/python3
"""A VM through its life, by sushy, the Redfish library of OpenStack's Ironic.

vm.py https://localhost:8443 admin PASSWORD --image hello.elf [--url http://HOST/hello.elf]

`--image` is a multiboot image that the machine has, `--url` one that it fetches. The machine's certificate
is self-made, so nobody looks at it here."""

import argparse
import time

import requests
import sushy
import urllib3

PATIENCE = 120  # seconds


def wait_for(system, state):
    """Until the VM is in that power state."""
    deadline = time.monotonic() + PATIENCE
    while system.power_state != state:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{system.name} is {system.power_state.value}, not {state.value}")
        time.sleep(0.5)
        system.refresh(force=True)
    print(f"{system.name} is {system.power_state.value}")


def run(system):
    """On, paused, on, off."""
    system.reset_system(sushy.RESET_TYPE_ON)
    wait_for(system, sushy.SYSTEM_POWER_STATE_ON)
    system.reset_system(sushy.ResetType.PAUSE)
    wait_for(system, sushy.PowerState.PAUSED)
    system.reset_system(sushy.ResetType.RESUME)
    wait_for(system, sushy.SYSTEM_POWER_STATE_ON)
    system.reset_system(sushy.RESET_TYPE_FORCE_OFF)
    wait_for(system, sushy.SYSTEM_POWER_STATE_OFF)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("--image", required=True)
    parser.add_argument("--cmdline", default="")
    parser.add_argument("--url")
    parser.add_argument("--no-run", action="store_true", help="on a machine that cannot start VMs")
    options = parser.parse_args()
    urllib3.disable_warnings()

    root = sushy.Sushy(options.address, verify=False,
                       auth=sushy.auth.SessionOrBasicAuth(options.user, options.password))
    # What sushy has no words for.
    api = requests.Session()
    api.auth = options.user, options.password
    api.verify = False
    systems = options.address + "/redfish/v1/Systems"

    answer = api.post(systems, json={
        "name": "from-sushy", "memory": "16M", "autostart": False,
        "multiboot": {"image": options.image, "cmdline": options.cmdline}})
    answer.raise_for_status()
    system = root.get_system(answer.headers["Location"])
    print("Systems:", ", ".join(one.name for one in root.get_system_collection().get_members()))
    print(f"{system.name}: {system.uuid}, {system.memory_summary.size_gib} GiB,",
          f"{system.processors.summary.count} processor, managed by {system.managers[0].name}")
    wait_for(system, sushy.SYSTEM_POWER_STATE_OFF)

    if not options.no_run:
        run(system)
    if options.url:
        api.patch(f"{systems}/from-sushy",
                  json={"Boot": {"HttpBootUri": options.url}}).raise_for_status()
        system.set_system_boot_options(target=sushy.BOOT_SOURCE_TARGET_UEFI_HTTP,
                                       enabled=sushy.BOOT_SOURCE_ENABLED_ONCE)
        system.refresh(force=True)
        print("Next start:", system.boot.target.value, system.boot.enabled.value)
        if not options.no_run:
            run(system)
    api.delete(f"{systems}/from-sushy").raise_for_status()
    print("deleted")


if __name__ == "__main__":
    main()
