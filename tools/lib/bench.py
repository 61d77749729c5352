"""tools/bench: what everything costs, in emulator ticks (about one an instruction).

One bare-metal guest of ours measures operations by RDTSC: as Innkeeper's guest, and on the bare
emulated machine. The kernel adds what only it knows.
"""

import argparse
import sys

import bench_machines
import bench_table
import build
import ending
import machine

EPILOG = """\
Rows are least ticks of many rounds, unless their description in docs/performance.md says otherwise. The
exit code is 1 if the measuring failed, 3 if --compare found a row that got worse.
"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="only what exits cost Innkeeper's guests")
    parser.add_argument("--json", metavar="FILE", help="write the rows there, too")
    parser.add_argument("--compare", metavar="OLD.json",
                        help="show the rows of Innkeeper's that got worse by more than "
                             f"{bench_table.TOLERANCE_PERCENT} %%")
    return parser.parse_args(arguments)


def measure(options):
    """A table of everything asked for."""
    table = bench_table.Table()
    build.setup("run")
    kernel = build.build("images")
    bench_machines.measure_innkeeper(table, kernel)
    if not options.quick:
        bench_machines.measure_bare(table)
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
    except (build.BuildError, machine.MachineError, bench_table.TableError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    worse = table.worse_than(old) if old else []
    for line in worse:
        print(f"worse: {line}")
    return 3 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
