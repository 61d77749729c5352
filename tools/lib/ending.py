"""Lets a signal end a tool as an exception does, so that emulators and temporary directories go."""

import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end(number, _frame):
    # Once only: what cleans up must not be cut short by an impatient second Ctrl-C.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def on_signals():
    """From here on, SystemExit is raised in the main thread by what asks a program to end."""
    for each in SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as under nohup
            signal.signal(each, _end)
