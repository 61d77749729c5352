"""tools/test: every test there is. Ends with the line `N passed, N failed`."""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import build
import ending
import image_size
import machine

sys.path.insert(0, os.path.join(build.ROOT, "tests", "system"))
sys.path.insert(0, os.path.join(build.ROOT, "tests", "web"))

TAIL_LINES = 40


class Report:
    """Counts results and prints a line for each as it comes."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.closed = False
        self.lock = threading.Lock()

    def add(self, name, ok, seconds, detail=""):
        with self.lock:
            if self.closed:
                return
            if ok:
                self.passed += 1
            else:
                self.failed += 1
            print(f"{'ok    ' if ok else 'FAILED'} {name} ({seconds:.1f} s)", flush=True)
            if not ok:
                self.show(detail)

    def note(self, text, detail):
        with self.lock:
            if not self.closed:
                print(text, flush=True)
                self.show(detail)

    @staticmethod
    def show(detail):
        if detail:
            print("".join(f"    {line}\n" for line in detail.rstrip().splitlines()), end="",
                  flush=True)


def tail(text, lines=TAIL_LINES):
    return "\n".join(text.splitlines()[-lines:])


def run_command(report, name, command, directory=build.ROOT):
    """One test that is a command: exit code 0 is a pass."""
    start = time.monotonic()
    result = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace")
    report.add(name, result.returncode == 0, time.monotonic() - start, tail(result.stdout))
    return result


def sources():
    """Every file of ours, by its path from the root."""
    for directory, folders, files in os.walk(build.ROOT):
        inside = os.path.relpath(directory, build.ROOT)
        folders[:] = [name for name in folders if name not in (".git", "__pycache__")
                      and not (inside == "." and name.startswith(("build", "subprojects")))]
        yield from (os.path.normpath(os.path.join(inside, name)) for name in files)


def is_bash(path):
    with open(os.path.join(build.ROOT, path), "rb") as file:
        return file.readline() == b"#!/bin/bash\n"


def static_checks(report):
    """Formatting, clang-tidy over everything the build compiles, and syntax of the scripts."""
    files = sorted(sources())
    run_command(report, "static: clang-format",
                ["clang-format", "--dry-run", "-Werror",
                 *(name for name in files if name.endswith((".c", ".h")))])
    run_command(report, "static: python",
                [sys.executable, "-m", "compileall", "-q", "tools", "tests"])
    for script in filter(is_bash, files):
        run_command(report, f"static: bash -n {script}", ["bash", "-n", script])
    size = image_size.loaded(os.path.join(build.BUILD, "kernel", "image", "innkeeper.elf"))
    report.add("static: kernel size", size <= image_size.LIMIT, 0,
               f"{size} bytes are loaded, {image_size.LIMIT} at most are allowed")
    run_command(report, "static: clang-tidy",
                [sys.executable, os.path.join("tools", "lib", "tidy.py"), build.BUILD])


def unit_tests(report):
    """Each cmocka program is one test here."""
    start = time.monotonic()
    result = subprocess.run(["meson", "test", "-C", build.BUILD, "--print-errorlogs"],
                            cwd=build.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace")
    seen = 0
    for line in result.stdout.splitlines():
        words = line.split()
        # " 3/27 unit - innkeeper:lapic   OK   0.03s"
        if len(words) >= 4 and "/" in words[0] and words[0].replace("/", "").isdigit():
            seen += 1
            name = words[1] if words[2] != "-" else words[3]
            report.add(f"unit: {name.split(':')[-1]}", words[-2] == "OK",
                       float(words[-1].rstrip("s")))
    if result.returncode != 0 or seen == 0:
        report.add("unit: all", False, time.monotonic() - start, tail(result.stdout, 80))


def web_tests(report, pattern):
    """The web page in a browser; its functions that need none are one test here."""
    import page_tests  # needs what the build has made

    if pattern is None:
        run_command(report, "web: functions",
                    ["node", "--test", os.path.join("tests", "web", "functions.test.mjs")])
    if not os.path.isfile(os.path.join(build.BUILD, "manage", "web", "app.js")):
        report.add("web: page", False, 0, "the kernel was built without its web page, see docs/web.md")
        return
    page_tests.run_all(build.BUILD, pattern or "",
                       lambda name, *result: report.add(f"web: {name}", *result))


class Context:
    """What a system test gets: ways to boot a machine with its own ISO in its own directory."""

    def __init__(self, kernel, directory, running, cpus):
        self.kernel = kernel
        self.cpus = cpus
        self.directory = directory
        self.machines = []
        self.running = running

    def boot(self, kind, *, vms=None, modules=None, cmdline="", **options):
        number = len(self.machines)
        directory = os.path.join(self.directory, f"machine{number}")
        os.makedirs(directory)
        iso = os.path.join(directory, "innkeeper.iso")
        if vms is not None and not os.path.isabs(vms):
            vms = os.path.join(build.ROOT, vms)
        build.make_iso(iso, self.kernel, vms, modules, cmdline)
        options.setdefault("cpus", self.cpus)
        box = machine.Machine(kind, iso, directory=directory, **options)
        self.machines.append(box)
        self.running.add(box)
        box.start()
        return box

    def file(self, name, text):
        """A file of this test's own; its path."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


def run_case(kernel, cpus, running, function):
    """None if it goes well, else what went wrong."""
    with tempfile.TemporaryDirectory(prefix="innkeeper-test-") as directory:
        context = Context(kernel, directory, running, cpus)
        try:
            function(context)
            return None
        except Exception as error:  # whatever goes wrong in a test is its failure
            said = str(error) if isinstance(error, (machine.MachineError, AssertionError)) \
                else traceback.format_exc()
            return said + "".join(
                f"\n--- serial log of {box.kind} {box.cpu}:\n{tail(box.text)}"
                f"\n--- {box.kind} said:\n{tail(box.emulator_output(), 8)}"
                for box in context.machines)
        finally:
            for box in context.machines:
                box.stop()
                running.discard(box)


def system_tests(report, kernel, jobs, pattern, cpus=1):
    """Machines beside each other take time from each other, and clients with patience lose it: what
    fails is tried once more, alone. Both are told."""
    import cases  # the list of tests is theirs, the machinery is here

    chosen = [(name, function) for name, function in cases.all_cases()
              if pattern is None or pattern in name]
    running = set()
    again = []

    def first_try(name, function):
        start = time.monotonic()
        detail = run_case(kernel, cpus, running, function)
        if detail is None or report.closed:
            report.add(name, detail is None, time.monotonic() - start, detail or "")
        else:
            report.note(f"{name} failed, and is tried again later, alone", detail)
            again.append((name, function))

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(first_try, name, function) for name, function in chosen]
        try:
            for future in futures:
                future.result()
        except BaseException:
            # Told to end: without its machine no test goes on.
            report.closed = True
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                for box in list(running):
                    box.stop()
                concurrent.futures.wait(futures, 0.2)
            raise
    for name, function in again:
        start = time.monotonic()
        detail = run_case(kernel, cpus, running, function)
        report.add(f"{name}, tried again", detail is None, time.monotonic() - start, detail or "")


def main(arguments):
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("static", "unit", "web", "system"),
                        help="one kind of tests instead of all")
    parser.add_argument("--match", metavar="TEXT",
                        help="system and web tests whose name holds TEXT")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="emulators at a time (default: one a CPU)")
    parser.add_argument("--cpus", type=int, default=1, metavar="N",
                        help="CPUs of the machines on which the system tests run, where a test "
                        "does not ask for a number of its own (default: 1)")
    parser.add_argument("--slice-us", type=int, metavar="N",
                        help="test a kernel whose scheduler has slices of N microseconds")
    options = parser.parse_args(arguments)
    if options.cpus < 1 or options.jobs < 1:
        parser.error("--cpus and --jobs must be at least 1")
    if options.slice_us is not None:
        build.use_slice(options.slice_us)
    report = Report()
    start = time.monotonic()
    ending.on_signals()
    try:
        build.setup("test")
        # Most of a whole build are the unit tests.
        kernel = build.build(*(() if options.only in (None, "unit") else ("images",)))
    except (build.BuildError, OSError) as error:
        print(f"test: {error}", file=sys.stderr)
        print("0 passed, 1 failed")
        return 1
    if options.only in (None, "unit") and not options.match:
        unit_tests(report)
    if options.only in (None, "static") and not options.match:
        static_checks(report)
    if options.only in (None, "web"):
        web_tests(report, options.match)
    if options.only in (None, "system"):
        system_tests(report, kernel, options.jobs, options.match, options.cpus)
    if report.passed + report.failed == 0:
        print("test: no test matches", file=sys.stderr)
        return 1
    print(f"took {(time.monotonic() - start) / 60:.1f} minutes")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
