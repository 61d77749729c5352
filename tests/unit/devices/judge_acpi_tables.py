#!/usr/bin/env python3
"""Lets ACPICA's own tools judge the tables made for VMs of several sizes: iasl takes each table
apart, and acpiexec loads them all as an operating system does and evaluates what is in them.

usage: judge_acpi_tables.py WRITER IASL ACPIEXEC
"""
import pathlib
import re
import subprocess
import sys
import tempfile

SIGNATURES = ["FACS", "DSDT", "FACP", "APIC", "SSDT", "RSDT", "XSDT"]
COMPLAINTS = ["error", "warning", "invalid", "incorrect", "mismatch", "unknown", "exception"]
# What acpiexec says of itself, on good tables too.
HARMLESS = ["ACPI Error: 0", "0 Errors", "0 Warnings", "Errors, 0"]


def run(command, directory):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def complaints(text):
    return [line for line in text.splitlines()
            if any(word in line.lower() for word in COMPLAINTS)
            and not any(harmless in line for harmless in HARMLESS)]


def judge(vcpus, writer, iasl, acpiexec):
    wrong = []
    with tempfile.TemporaryDirectory() as directory:
        if run([writer, directory, str(vcpus)], directory).returncode:
            return ["the tables were not written"]
        for signature in SIGNATURES:
            result = run([iasl, "-d", f"{signature}.dat"], directory)
            text = result.stdout + result.stderr
            source = pathlib.Path(directory, f"{signature}.dsl")
            if result.returncode or not source.exists():
                wrong.append(f"iasl -d {signature}: {text}")
                continue
            wrong += [f"{signature}: {line}" for line in complaints(text)]
        last = f"\\_SB.C{vcpus - 1:03X}._UID"
        result = run([acpiexec, "-b", f"namespace; execute {last}; predefined; quit",
                      "DSDT.dat", "SSDT.dat"], directory)
        text = result.stdout + result.stderr
        wrong += [f"acpiexec: {line}" for line in complaints(text)]
        expected = {r"^ 1    C[0-9A-F]{3} Device": vcpus, r'_HID String .*"ACPI0007"$': vcpus,
                    r"^ 1    COM1 Device": 1, r"^ 0  _S5_ Package": 1,
                    rf"\[Integer\] = {vcpus - 1:016X}": 1}
        for pattern, count in expected.items():
            found = len(re.findall(pattern, text, re.MULTILINE))
            if found != count:
                wrong.append(f"acpiexec: {found} of {count} lines match {pattern}")
        if result.returncode:
            wrong.append(f"acpiexec ended with {result.returncode}")
    return wrong


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    failed = False
    for vcpus in (1, 4, 256):
        for line in judge(vcpus, *(pathlib.Path(tool).resolve() for tool in sys.argv[1:])):
            print(f"{vcpus} vCPUs: {line}")
            failed = True
    sys.exit(failed)


main()
