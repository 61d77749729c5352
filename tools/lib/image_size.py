"""How large the kernel is."""

import re
import subprocess

# Everything with network, TLS and the web page: what is loaded of it, less what is zero.
LIMIT = 700 * 1024

SECTIONS = ("text", "rodata", "data", "bss")


def sections(kernel):
    """Section -> bytes; a section's parts are added up."""
    output = subprocess.run(["size", "-A", kernel], check=True, capture_output=True,
                            text=True).stdout
    found = re.findall(r"^\.(\S+)\s+(\d+)\s+\d+$", output, re.MULTILINE)
    return {name: sum(int(size) for section, size in found
                      if section == name or section.startswith(name + "."))
            for name in SECTIONS}


def loaded(kernel):
    return sum(size for name, size in sections(kernel).items() if name != "bss")
