"""Discs and RAM disks of tools/bench."""

import os
import shutil
import tempfile

import build

BENCH = os.path.join(build.ROOT, "tests", "bench")
KVM_MODULES = ("irqbypass.ko", "kvm.ko", "kvm-intel.ko")

REGULAR = 0o100755
DIRECTORY = 0o040755

GRUB_MENU = """\
set timeout=0
menuentry "bench" {{
    multiboot /boot/image {cmdline}
{modules}}}
"""


def built(name):
    """Path of a program or image of the bench."""
    return os.path.join(build.BUILD, "tests", "bench", name)


def image(name):
    """Path of what tools/fetch has got."""
    return os.path.join(build.IMAGES, name)


def make_bare_iso(path, kernel, cmdline, modules=()):
    """A disc on which GRUB boots a multiboot image, with nothing between it and the machine."""
    with tempfile.TemporaryDirectory() as tree:
        boot = os.path.join(tree, "boot")
        os.makedirs(os.path.join(boot, "grub"))
        shutil.copyfile(kernel, os.path.join(boot, "image"))
        lines = ""
        for number, module in enumerate(modules):
            shutil.copyfile(module, os.path.join(boot, f"module{number}"))
            lines += f"    module /boot/module{number}\n"
        words = " ".join(map(build.quote, cmdline.split()))
        with open(os.path.join(boot, "grub", "grub.cfg"), "w", encoding="utf-8") as file:
            file.write(GRUB_MENU.format(cmdline=words, modules=lines))
        build.run_quietly(["grub-mkrescue", "-o", os.path.abspath(path), tree], "grub-mkrescue")


def _pad(data):
    return data + b"\0" * (-len(data) % 4)


def _entry(name, mode, data=b""):
    """A file in an archive of the format that Linux unpacks (cpio, "newc")."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _pad(header + name.encode() + b"\0") + _pad(data)


def _make_initrd(path, files):
    """tools/fetch's RAM disk with more files in it: name in the archive -> path, or bytes."""
    with open(image("initrd"), "rb") as file:
        base = _pad(file.read())
    with open(path, "wb") as output:
        output.write(base)
        for directory in sorted({os.path.dirname(name) for name in files} - {""}):
            output.write(_entry(directory, DIRECTORY))
        for name, source in files.items():
            if isinstance(source, str):
                with open(source, "rb") as file:
                    source = file.read()
            output.write(_entry(name, REGULAR, source))
        output.write(_entry("TRAILER!!!", 0))


def make_worker_initrd(path):
    """The RAM disk of the Linux that works."""
    _make_initrd(path, {"init": built("work"), "work": built("work"),
                        "bench.sh": os.path.join(BENCH, "workloads.sh")})


def make_kvm_initrd(path, guests, files):
    """The RAM disk of the Linux whose KVM has the guests. `guests`: a script; `files`: what that
    needs, name -> path."""
    modules = {f"kvm/{name}": image(os.path.join("kvm", name)) for name in KVM_MODULES}
    _make_initrd(path, {"init": os.path.join(BENCH, "kvm_host.sh"), "work": built("work"),
                        "launcher": built("kvm_launcher"), "guests.sh": guests.encode(),
                        **modules, **files})
