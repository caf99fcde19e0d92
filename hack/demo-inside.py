"""What a program in the sandbox may do, and what it is refused. hack/demo runs this inside."""

import ctypes
import os
import socket
import sys

NEW_USER_NAMESPACE = 0x10000000  # CLONE_NEWUSER
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Calls a function of the C library; its error becomes an exception."""
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write(path):
    with open(path, "w") as file:
        file.write("42\n")
    return "written"


def read(path):
    with open(path) as file:
        return file.read()


def processes():
    return f"{sum(name.isdigit() for name in os.listdir('/proc'))}: only the sandbox's own"


MAY = [
    ("write answer.txt in the project", lambda: write("answer.txt")),
    ("write in /tmp, gone afterwards", lambda: write("/tmp/scratch")),
    ("list /", lambda: " ".join(sorted(os.listdir("/")))),
    ("count all processes", processes),
]
MAY_NOT = [
    ("read /etc/passwd", lambda: read("/etc/passwd")),
    ("list /root", lambda: os.listdir("/root")),
    ("change the system's /usr", lambda: write("/usr/new")),
    ("start a shell", lambda: os.execv("/bin/sh", ["sh"])),
    ("open a network socket", lambda: socket.socket(socket.AF_INET)),
    ("become root", lambda: os.setuid(0)),
    ("make a setuid file", lambda: os.chmod("answer.txt", 0o4755)),
    ("mount a file system", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None)),
    ("make a user namespace", lambda: call("unshare", NEW_USER_NAMESPACE)),
    ("trace another process", lambda: call("ptrace", 16, 1, 0, 0)),
]

broken = False
for what, action in MAY:
    print(f"  {what:<34}{action()}")
for what, action in MAY_NOT:
    try:
        outcome = f"IT WORKED: {action()!r}; this is a hole, please report it"
        broken = True
    except OSError as error:
        outcome = f"refused: {error.strerror}"
    print(f"  {what:<34}{outcome}")
sys.exit(broken)
