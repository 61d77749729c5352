"""tools/bench: what everything costs, side by side with KVM and the bare machine.

The same guests run as Innkeeper's, as those of KVM in a Debian Linux, and on the bare machine, all
emulated by Bochs. The unit is a tick of the TSC there, about one an instruction, so that the table is
nearly the same in every run.
"""

import argparse
import concurrent.futures
import os
import sys

import bench_docs
import bench_machines as machines
import bench_table
import build
import ending
import machine

EPILOG = """\
docs/performance.md says what each row is. The exit code is 1 if the measuring failed, 3 if --compare found
rows that got worse.

examples:
  tools/bench                                  everything, within 40 minutes on two CPUs
  tools/bench --quick --json before.json       what exits cost, within 3 minutes
  tools/bench --quick --compare before.json    ... and after a change
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="only what exits cost guests of Innkeeper's")
    parser.add_argument("--json", metavar="FILE", help="write the table there, too")
    parser.add_argument("--compare", metavar="OLD.json",
                        help="show the rows of Innkeeper's that got worse by more than "
                             f"{bench_table.TOLERANCE_PERCENT} %%")
    parser.add_argument("--write-docs", action="store_true", help="write docs/performance.md and .json anew")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="emulators at a time (default: one a CPU)")
    options = parser.parse_args(arguments)
    if options.quick and options.write_docs:
        parser.error("--write-docs needs all rows: not with --quick")
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return options


def build_counting():
    """A kernel that counts accesses to the VMCS; its path."""
    directory = os.path.join(build.BUILD, "counting")
    if not os.path.exists(os.path.join(directory, "build.ninja")):
        build.run_quietly(["meson", "setup", directory, build.ROOT, "-Dcount_vmcs=true"],
                          "meson setup")
    target = os.path.join("kernel", "image", "innkeeper-boot.elf")
    build.run_quietly(["ninja", "--quiet", "-C", directory, target], "the build")
    return os.path.join(directory, target)


def runs(quick):
    """The machines to run, in the order of the table, as functions without arguments."""
    kernel = build.build("images", *(() if quick else ("bench",)))
    chosen = [lambda: machines.innkeeper_exits(kernel),
              lambda: machines.innkeeper_two_cpus(kernel),
              lambda: machines.innkeeper_plain_apic(kernel),
              lambda: machines.innkeeper_virtual_apic(kernel),
              lambda: machines.innkeeper_threads(kernel),
              lambda: machines.innkeeper_vcpu_switch(kernel),
              lambda: machines.innkeeper_wake(kernel),
              lambda: machines.image_sizes(kernel)]
    if quick:
        return chosen
    counting = build_counting()
    return chosen + [lambda: machines.innkeeper_memory(kernel),
                     lambda: machines.innkeeper_vmcs(counting),
                     lambda: machines.innkeeper_https(kernel),
                     lambda: machines.innkeeper_linux(kernel),
                     machines.bare_exits, machines.bare_two_cpus, machines.bare_linux,
                     machines.kvm_exits, machines.kvm_two_cpus, machines.kvm_plain_apic,
                     machines.kvm_linux]


def measure(options):
    """The table of everything asked for."""
    table = bench_table.Table()
    build.setup("run" if options.quick else "bench")
    chosen = runs(options.quick)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        # The last take longest, so they begin.
        futures = [pool.submit(run) for run in reversed(chosen)]
        try:
            for future in reversed(futures):
                table.add_run(future.result())
        except BaseException:
            # Without its machine no run goes on.
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                for box in list(machines.running):
                    box.stop()
                concurrent.futures.wait(futures, 0.2)
            raise
    return table


def main(arguments):
    options = parse(arguments)
    ending.on_signals()
    try:
        old = bench_table.load(options.compare) if options.compare else None
        table = measure(options)
        print(table.text())
        if options.json:
            table.save(options.json)
        if options.write_docs:
            bench_docs.write(table, machines.ROUNDS, machines.LINUX_MEMORY)
    except (build.BuildError, machine.MachineError, bench_table.TableError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    worse = table.worse_than(old) if old is not None else []
    for line in worse:
        print(f"worse: {line}")
    return 3 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
