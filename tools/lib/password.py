"""tools/password: makes the hash of a password, as Innkeeper's configuration wants it."""

import argparse
import base64
import getpass
import hashlib
import os
import re
import sys

ITERATIONS = 100000  # some 50 ms on a server
ITERATIONS_MIN, ITERATIONS_MAX = 1000, 1000000
LENGTH_MIN, LENGTH_MAX = 8, 127
SALT_BYTES = 16

EPILOG = """\
The password is asked for, or read from standard input. What is printed goes onto the kernel's command line,
in GRUB's menu as it stands; the part from $ on, without the quotes, is the "password_hash" of a file of
accounts. Hashes of passlib's pbkdf2_sha256 do as well.

example: tools/password --read-only guest
"""


def encode(data):
    """base64 as passlib has it."""
    return base64.b64encode(data).decode("ascii").rstrip("=").replace("+", ".")


def make_hash(password, iterations=ITERATIONS, salt=None):
    salt = salt or os.urandom(SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    return f"$pbkdf2-sha256${iterations}${encode(salt)}${encode(key)}"


def user_option(name, password, iterations=ITERATIONS, read_only=False):
    """The option of the kernel's command line that makes this account."""
    return f"user={name}:{make_hash(password, iterations)}" + (":read-only" if read_only else "")


def ask():
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass()
    if getpass.getpass("Again: ") != password:
        raise SystemExit("tools/password: they are not the same")
    return password


def main():
    parser = argparse.ArgumentParser(
        prog="tools/password", description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("user", nargs="?", default="admin", metavar="USER",
                        help="the account's name (default: admin)")
    parser.add_argument("--read-only", action="store_true", help="it may look, but change nothing")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, metavar="N",
                        help=f"how slow the hash is (default: {ITERATIONS}); a check of a password "
                        "takes as long as that of the slowest account")
    options = parser.parse_args()
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,31}", options.user):
        parser.error("a user name has 1 to 31 of a-z A-Z 0-9 . _ -")
    if not ITERATIONS_MIN <= options.iterations <= ITERATIONS_MAX:
        parser.error(f"want {ITERATIONS_MIN} to {ITERATIONS_MAX} iterations")
    password = ask()
    if not LENGTH_MIN <= len(password.encode()) <= LENGTH_MAX or re.search(r"[\0-\x1f\x7f]",
                                                                           password):
        raise SystemExit(f"tools/password: a password has {LENGTH_MIN} to {LENGTH_MAX} bytes and "
                         "no control characters")
    option = user_option(options.user, password, options.iterations, options.read_only)
    print(f"'{option}'")


if __name__ == "__main__":
    main()
