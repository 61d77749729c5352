"""Makes a C source of the page's files: embed.py OUTPUT.c PLAIN.html [INDEX.html FILE...]

PLAIN.html is for whoever cannot take the page; a build without Node has nothing else. The other files
are compressed; FILEs are found under /static/ by names with a hash of what is in them, so that a browser
may keep them for ever, and INDEX.html gets these names in the place of the plain ones.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8"}


class File:
    """One file as it is served."""

    def __init__(self, path, kind, content, compress, forever):
        self.path = path
        self.content_type = TYPES[kind]
        self.encoding = "gzip" if compress else None
        self.data = compressed(content) if compress else content
        self.etag = '"' + hashlib.sha256(self.data).hexdigest()[:16] + '"'
        self.cache_control = "max-age=31536000, immutable" if forever else "no-cache"


def compressed(content):
    """As gzip, without name and date: the same bytes from the same sources. zopfli takes its time for a
    thirtieth less."""
    if not shutil.which("zopfli"):
        return gzip.compress(content, 9, mtime=0)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return subprocess.run(["zopfli", "-c", file.name], check=True, stdout=subprocess.PIPE).stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def files(plain, index=None, *static):
    """What is served, the plain page first and the page itself second."""
    served = [File("/", ".html", read(plain), False, False)]
    if index:
        page = read(index)
        rest = []
        for path in static:
            content = read(path)
            stem, kind = os.path.splitext(os.path.basename(path))
            name = f"/static/{stem}.{hashlib.sha256(content).hexdigest()[:10]}{kind}"
            former = f"/static/{stem}{kind}".encode()
            if page.count(former) != 1:
                sys.exit(f"{index}: {former.decode()} is not in it exactly once")
            page = page.replace(former, name.encode())
            rest.append(File(name, kind, content, True, True))
        served += [File("/", ".html", page, True, False), *rest]
    return served


def literal(text):
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def array(data):
    return "".join("    " + "".join(f"{byte}, " for byte in data[start:start + 24]).rstrip() + "\n"
                   for start in range(0, len(data), 24))


def source(served):
    arrays = "".join(f"static const unsigned char data_{number}[] = {{\n{array(file.data)}}};\n\n"
                     for number, file in enumerate(served))
    rows = "".join(
        f"    {{ .path = {literal(file.path)}, .content_type = {literal(file.content_type)},\n"
        f"      .encoding = {literal(file.encoding)}, .etag = {literal(file.etag)},\n"
        f"      .cache_control = {literal(file.cache_control)},\n"
        f"      .data = data_{number}, .length = sizeof(data_{number}) }},\n"
        for number, file in enumerate(served))
    return ('#include "manage/web/page_files.h"\n\n' + arrays +
            f"const struct page_file page_files[] = {{\n{rows}}};\n\n"
            f"const unsigned page_file_count = {len(served)};\n")


def main(arguments):
    output, *inputs = arguments
    with open(output, "w", encoding="ascii") as file:
        file.write(source(files(*inputs)))


if __name__ == "__main__":
    main(sys.argv[1:])
