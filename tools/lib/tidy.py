"""Runs clang-tidy over the C sources of the kernel image, as they are compiled there."""

import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

# Options of gcc that clang does not know.
GCC_ONLY = {"-fno-pic", "-fno-common", "-ffixed-rbp", "-mpreferred-stack-boundary=3"}

# What the image is linked of, but for the libraries of others.
TARGETS = ("innkeeper.elf.p", "libexit_path.a.p")


def for_clang(command):
    """A compile command of gcc as clang takes it, with clang's own stdint.h and the like: gcc's
    spell constants with macros that only gcc predefines."""
    words = [word for word in shlex.split(command) if word not in GCC_ONLY]
    words[words.index("-nostdinc")] = "-nostdlibinc"
    headers = words.index("-idirafter")
    return words[:headers] + words[headers + 2:]


def entries(build_directory):
    """The kernel's compile commands, one for each file that is not generated."""
    with open(os.path.join(build_directory, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    for entry in commands:
        if (any(target in entry["output"] for target in TARGETS)
                and "generated" not in entry["output"] and entry["file"].endswith(".c")):
            yield {"directory": entry["directory"], "file": entry["file"],
                   "arguments": for_clang(entry["command"])}


def check(directory, entry):
    path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
    result = subprocess.run(["clang-tidy", "-quiet", "-p", directory, path],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, errors="replace")
    # Without findings standard error only counts what was not shown.
    return result.returncode, result.stdout or result.stderr


def main(build_directory):
    commands = list(entries(build_directory))
    if not commands:
        print("tidy: the build has no kernel sources", file=sys.stderr)
        return 1
    directory = os.path.join(build_directory, "tidy")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(commands, file)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda entry: check(directory, entry), commands))
    failed = [output for code, output in results if code != 0]
    print("".join(failed), end="")
    print(f"{len(commands)} files, {len(failed)} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
