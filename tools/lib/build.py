"""Builds the project and puts bootable ISO images together."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
IMAGES = os.path.join(BUILD, "images")
SETTINGS = []  # for meson setup, beside the project's own


class BuildError(Exception):
    """Something the user can mend; the text says what."""


def run_quietly(command, what):
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace")
    if result.returncode != 0:
        sys.stderr.write(result.stdout)
        raise BuildError(f"{what} failed (exit code {result.returncode}), see above")


def setup(what):
    """Lets tools/setup install and fetch what `what` (run or test) needs."""
    # Its progress is no part of a program's output.
    process = subprocess.Popen([os.path.join(ROOT, "tools", "setup"), what], stdout=sys.stderr)
    try:
        code = process.wait()
    except BaseException:
        process.terminate()  # not a kill: it has temporary files to remove
        process.wait()
        raise
    if code != 0:
        raise BuildError("the set-up failed, see above")


def use_slice(microseconds):
    """From now on builds, in a directory of its own, a kernel with slices of that length."""
    global BUILD
    BUILD = os.path.join(ROOT, "build", f"slice-{microseconds}")
    SETTINGS.append(f"-Dslice_us={microseconds}")


def configure():
    """Configures the build directory, unless it is configured for this tree already."""
    try:
        with open(os.path.join(BUILD, "meson-info", "meson-info.json"), encoding="utf-8") as file:
            configured_for = json.load(file)["directories"]["source"]
    except (OSError, ValueError, KeyError):
        configured_for = None
    if configured_for == ROOT and os.path.exists(os.path.join(BUILD, "build.ninja")):
        return
    if configured_for:
        # The tree was moved or copied with its build directory, which names files of the old place.
        shutil.rmtree(os.path.join(BUILD, "meson-private"), ignore_errors=True)
    run_quietly(["meson", "setup", *SETTINGS, BUILD, ROOT], "meson setup")


def build(*targets):
    """Builds targets (everything if none is named); the path of the kernel image for an ISO."""
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ninja itself lets two builds spoil each other
        configure()
        run_quietly(["ninja", "--quiet", "-C", BUILD, *targets], "the build")
    return os.path.join(BUILD, "kernel", "image", "innkeeper-boot.elf")


def described_modules(vms_path):
    """Names of the boot modules that a VM description refers to; none if it is broken."""
    try:
        with open(vms_path, encoding="utf-8") as file:
            description = json.load(file)
        names = []
        for vm in description["vms"]:
            linux = vm.get("linux", {})
            multiboot = vm.get("multiboot", {})
            names += [linux[key] for key in ("kernel", "initrd") if key in linux]
            names += [multiboot["image"]] if "image" in multiboot else []
            for module in multiboot.get("modules", []):
                names.append(module["name"] if isinstance(module, dict) else module)
        return list(dict.fromkeys(names))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The kernel is the judge of its description and explains; it gets the file as it is.
        return []


def find_module(name, given):
    """Path of a module: given by the user, else a guest image, else one of our test guests."""
    if name in given:
        return given[name]
    for directory in (IMAGES, os.path.join(BUILD, "tests", "guests"),
                      os.path.join(BUILD, "tests", "bench")):
        for path in (os.path.join(directory, name), os.path.join(directory, name + ".elf")):
            if os.path.isfile(path):
                return path
    return None


def quote(word):
    """A word of a GRUB script, whatever is in it."""
    return "'" + word.replace("'", "'\\''") + "'"


def make_iso(path, kernel, vms=None, modules=None, cmdline=""):
    """Writes a hybrid ISO (BIOS and UEFI) with the kernel, a VM description and its modules;
    returns the names of modules that were not found, whose VMs the kernel will refuse."""
    missing = []
    given = dict(modules or {})
    files = dict(given)
    if vms:
        for name in described_modules(vms):
            found = find_module(name, given)
            if found:
                files[name] = found
            else:
                missing.append(name)
    with tempfile.TemporaryDirectory() as tree:
        boot = os.path.join(tree, "boot")
        os.makedirs(os.path.join(boot, "grub"))
        os.makedirs(os.path.join(boot, "modules"))
        shutil.copyfile(kernel, os.path.join(boot, "innkeeper.elf"))
        command = "multiboot2 /boot/innkeeper.elf"
        lines = [" ".join([command, *map(quote, cmdline.split())])]
        if vms:
            shutil.copyfile(vms, os.path.join(boot, "modules", "vms.json"))
            lines.append(f"module2 /boot/modules/vms.json {quote(os.path.basename(vms))}")
        for number, (name, source) in enumerate(files.items()):
            if not os.path.isfile(source):
                raise BuildError(f"module {name}: no file {source}")
            target = f"module{number}"
            shutil.copyfile(source, os.path.join(boot, "modules", target))
            lines.append(f"module2 /boot/modules/{target} {quote(name)}")
        with open(os.path.join(ROOT, "iso", "grub.cfg"), encoding="utf-8") as file:
            menu = file.read().replace(command, "\n    ".join(lines))
        with open(os.path.join(boot, "grub", "grub.cfg"), "w", encoding="utf-8") as file:
            file.write(menu)
        run_quietly(["grub-mkrescue", "-o", os.path.abspath(path), tree], "grub-mkrescue")
    return missing
