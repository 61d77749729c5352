"""Runs the tests of the web page: page_tests.py BUILD_DIRECTORY [TEXT]; screenshots go to its web-screenshots/.
Prints a line for each test; exit code 0: all passed."""

import os
import sys
import time
import traceback

import page_cases
from browser import Browser, BrowserError
from mock import Mock


def run_all(build, pattern, report):
    """Calls report(name, passed, seconds, text) for each test whose name contains `pattern`."""
    with Browser(os.path.join(build, "web-screenshots")) as browser:
        for name, case in page_cases.all_cases():
            if pattern in name:
                start = time.monotonic()
                said = ""
                try:
                    with Mock(build) as mock:
                        case(browser, mock)
                except BrowserError as error:
                    said = str(error)
                except Exception:  # whatever goes wrong in a test is its failure
                    said = traceback.format_exc()
                report(name, not said, time.monotonic() - start, said)


def main(build, pattern=""):
    failed = []

    def report(name, passed, seconds, text):
        print(f"{'ok    ' if passed else 'FAILED'} web: {name} ({seconds:.1f} s)", flush=True)
        if not passed:
            failed.append(name)
            print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
    run_all(build, pattern, report)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
