"""Runs clang-tidy over the sources of the kernel image, as they are compiled there."""

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

# Options of gcc that clang does not know.
GCC_ONLY = {"-fno-pic", "-fno-common"}


def entries(build_directory):
    """The kernel's compile commands, one for each file, with the options clang understands."""
    with open(os.path.join(build_directory, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    seen = set()
    for entry in commands:
        if "innkeeper.elf.p" not in entry["output"] or not entry["file"].endswith(".c"):
            continue
        if entry["file"] in seen:
            continue
        seen.add(entry["file"])
        words = [word for word in entry["command"].split() if word not in GCC_ONLY]
        entry["command"] = " ".join(words)
        yield entry


def check(directory, path):
    result = subprocess.run(["clang-tidy", "-quiet", "-p", directory, path],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            errors="replace")
    return result.returncode, result.stdout


def main(build_directory):
    commands = list(entries(build_directory))
    if not commands:
        print("tidy: the build has no kernel sources", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "compile_commands.json"), "w",
                  encoding="utf-8") as file:
            json.dump(commands, file)
        paths = [os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                 for entry in commands]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            results = list(pool.map(lambda path: check(directory, path), paths))
    failed = [output for code, output in results if code != 0]
    print("".join(failed))
    print(f"{len(paths)} files, {len(failed)} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
