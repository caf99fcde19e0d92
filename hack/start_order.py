"""See hack/start-order, which calls this: which functions of a program run, in the order of their first run.

A breakpoint is put at the entry of each function of the program, in it and in all that it forks; where one is met, the
function is noted and the breakpoint goes. By ptrace(2), on x86_64.
"""

import ctypes
import os
import signal
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
TRACEME, PEEKUSER, POKEUSER, CONT, SETOPTIONS, GETEVENTMSG, GETSIGINFO = 0, 3, 6, 7, 0x4200, 0x4201, 0x4202
SIGINFO_SIZE = 128
FORKED, EXECUTED = (1, 2, 3), 4  # fork, vfork, clone; exec
OPTIONS = 0x0E | 0x10 | 0x100000  # those events, and that the tracer's end is the traced's
RIP = 16 * 8  # in struct user_regs_struct
WALL = 0x40000000
BREAKPOINT = b"\xcc"


class Program:
    """A program's functions: `{place in the file: names}`."""

    def __init__(self, path):
        self.path = os.path.realpath(path)
        self.identity = identity(self.path)
        for line in told("readelf", "--program-headers", "--wide", self.path):
            words = line.split()
            if words[:1] == ["LOAD"] and "E" in words[6:8]:
                offset, address, size = (int(words[number], 16) for number in (1, 2, 4))
        self.begun = set()
        self.names = {}
        for line in told("nm", "--defined-only", self.path):
            words = line.split()
            if len(words) == 3 and words[1] in "tTwWi" and 0 <= int(words[0], 16) - address < size:
                self.names.setdefault(int(words[0], 16) - address + offset, []).append(words[2])
        with open(self.path, "rb") as file:
            text = file.read()
        self.first_bytes = {place: text[place:place + 1] for place in self.names}

    def functions_run_by(self, arguments):
        """The names of those that run, when it is called with `arguments`."""
        def ended(status, traced):
            if status != 0:
                sys.exit(f"hack/start-order: {self.path} {' '.join(arguments)}: status {status}")
            # What it leaves running, as `create` does, has shown what it goes through.
            for left in traced:
                kill(left)

        def begin():
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.execv(self.path, [self.path, *arguments])

        return self.trace(begin, ended)

    def trace(self, begin, ended):
        """The names of the functions that are run by what `begin` executes, until nothing of it is left. `ended` is called at
        the end of the first process, with its status and those that it leaves."""
        child = os.fork()
        if child == 0:
            LIBC.ptrace(TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            begin()
        os.waitpid(child, 0)
        self.begun.add(child)
        LIBC.ptrace(SETOPTIONS, child, None, OPTIONS)
        LIBC.ptrace(CONT, child, None, None)
        found, bases = {}, {}
        while True:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return found
            if not os.WIFSTOPPED(status):
                if pid == child:
                    ended(status, bases)
                bases.pop(pid, None)
                continue
            self.stopped(pid, status, found, bases)

    def stopped(self, pid, status, found, bases):
        number, event = os.WSTOPSIG(status), status >> 16
        deliver = 0
        if event == EXECUTED:
            bases.pop(pid, None)
            if identity(f"/proc/{pid}/exe") == self.identity:
                bases[pid] = self.put_breakpoints(pid)
        elif event in FORKED:
            forked = ctypes.c_ulong()
            LIBC.ptrace(GETEVENTMSG, pid, None, ctypes.addressof(forked))
            if pid in bases:
                bases[forked.value] = bases[pid]
        elif number == signal.SIGTRAP and self.is_known(pid, bases):
            at = LIBC.ptrace(PEEKUSER, pid, RIP, None) - 1
            place = at - bases[pid]
            if place in self.names:
                found.update(dict.fromkeys(self.names[place]))
                write(pid, at, self.first_bytes[place])
                LIBC.ptrace(POKEUSER, pid, RIP, at)
        elif number == signal.SIGSTOP and pid in self.begun:
            # One that stops itself, and then is stopped, until somebody kills it or lets it go on.
            if LIBC.ptrace(GETSIGINFO, pid, None, ctypes.create_string_buffer(SIGINFO_SIZE)) != 0:
                return
            deliver = number
        elif number not in (signal.SIGSTOP, signal.SIGTRAP):
            deliver = number
        # Each begins with such a stop, which is the tracing's.
        self.begun.add(pid)
        LIBC.ptrace(CONT, pid, None, deliver)

    def is_known(self, pid, bases):
        """What was just forked may be met before its parent has told of it."""
        if pid not in bases and identity(f"/proc/{pid}/exe") == self.identity:
            bases[pid] = base_of(pid)
        return pid in bases

    def put_breakpoints(self, pid):
        """Where the beginning of its file would be in the memory of the process."""
        base = base_of(pid)
        memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        for place in self.names:
            os.pwrite(memory, BREAKPOINT, base + place)
        os.close(memory)
        return base


def base_of(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        line = next(line for line in file if "x" in line.split()[1] and "[" not in line)
    return int(line.split("-")[0], 16) - int(line.split()[2], 16)


def write(pid, at, content):
    memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    os.pwrite(memory, content, at)
    os.close(memory)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def identity(path):
    found = os.stat(path)
    return found.st_ino, found.st_size


def told(*line):
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()


def stand_in(output, program, arguments):
    """Is `program` to whoever has called it, and adds what it runs to `output` when all that it leaves has ended."""
    reading, writing = os.pipe()
    if os.fork() != 0:
        os.close(writing)
        status = os.read(reading, 4)
        os._exit(int(status or b"1"))
    os.setsid()
    os.close(reading)

    def begin():
        os.close(writing)
        os.execv(program, [program, *arguments])

    def ended(status, _):
        # The caller reads to the end of these.
        for descriptor in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        os.write(writing, str(os.waitstatus_to_exitcode(status) % 256).encode())
        os.close(writing)

    found = Program(program).trace(begin, ended)
    with open(output, "a", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in found)


def main():
    """start_order.py OUTPUT, and on standard input lines: a program and its arguments, with tabs between.
    start_order.py --as PROGRAM OUTPUT [ARGUMENT]…: in its place, for who wouldn't know that it is traced."""
    if sys.argv[1] == "--as":
        _, _, program, output, *arguments = sys.argv
        return stand_in(output, program, arguments)
    programs, order = {}, {}
    for line in sys.stdin:
        path, *arguments = line.rstrip("\n").split("\t")
        if path not in programs:
            programs[path] = Program(path)
        found = programs[path].functions_run_by(arguments)
        print(f"{len(found)} functions: {os.path.basename(path)} {' '.join(arguments)}", file=sys.stderr)
        order.update(dict.fromkeys(found))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.writelines(f"{name}\n" for name in order)
    return None


main()
