"""tools/bench: what exits cost a guest, in emulator ticks (about one an instruction).

A bare-metal guest of ours measures round trips by RDTSC, least of many, and prints them; the kernel
adds the ticks from its first instruction to the first VM entry.
"""

import argparse
import json
import os
import re
import sys
import tempfile

import build
import ending
import machine

ACCELERATED = "corei7_skylake_x"  # APIC virtualisation and all
BASE = "corei7_sandy_bridge_2600k"  # interrupt window and TPR shadow only

ROW = re.compile(r"^bench\| row (\S+) (\d+)$", re.MULTILINE)
BOOT = re.compile(r"first VM entry (\d+) ticks after the first instruction")
END = r"vm bench stopped: .*"


def measure(kernel, cpu):
    """Rows of one run: name -> ticks."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-bench-") as directory:
        iso = os.path.join(directory, "innkeeper.iso")
        build.make_iso(iso, kernel, os.path.join(build.ROOT, "tests", "bench", "bench.json"))
        with machine.Machine("bochs", iso, cpu=cpu, directory=directory) as box:
            end = box.expect(END, 170).group(0)
            text = box.text
    if "debug-exit 0x0" not in end:
        raise machine.MachineError(f"the bench guest did not finish: {end}")
    rows = {name: int(ticks) for name, ticks in ROW.findall(text)}
    boot = BOOT.search(text)
    if boot:
        rows["boot_to_guest"] = int(boot.group(1))
    if not rows:
        raise machine.MachineError("the bench guest printed no rows")
    return rows


def main(arguments):
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help=f"{ACCELERATED} only (otherwise {BASE} too)")
    parser.add_argument("--json", metavar="FILE", help="write the rows there, too")
    options = parser.parse_args(arguments)
    ending.on_signals()
    try:
        build.setup("run")
        kernel = build.build("images")
        results = {}
        for cpu in (ACCELERATED,) if options.quick else (ACCELERATED, BASE):
            results[cpu] = measure(kernel, cpu)
            if not options.quick:
                print(f"# {cpu}")
            for name, ticks in results[cpu].items():
                print(f"{name} {ticks}")
    except (build.BuildError, machine.MachineError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        rows = {}
        for cpu, measured in results.items():
            for name, ticks in measured.items():
                rows.setdefault(name, {"unit": "ticks"})[cpu] = ticks
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"rows": rows}, file, indent=2)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
