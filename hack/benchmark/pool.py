"""From asking for a command to the first byte that it prints: bare, from the pool (docs/opt-server-pool.md), and made for it."""

import json
import os
import select
import socket
import sys
import time

from library import library_of
from measure import in_turns
from table import DIFFERENCE, Table

SOON = 30


def first_byte(descriptor, began):
    """The milliseconds from `began` until something can be read."""
    if not select.select([descriptor], [], [], SOON)[0]:
        sys.exit(f"nothing was printed within {SOON} s")
    took = time.perf_counter() - began
    if not os.read(descriptor, 1 << 16):
        sys.exit("nothing was printed")
    return took * 1000


class Place:
    """A configuration with one command, `it`, a project, and where states and output go: a directory in memory, as below /run."""

    def __init__(self, path, server, line):
        self.server = server
        self.line = line
        self.project = os.path.join(path, "pool-project")
        os.mkdir(self.project)
        os.chown(self.project, 65534, 65534)
        self.root, self.report, self.fifo, self.begin, self.config = (
            os.path.join(path, f"pool-{name}") for name in ("root", "report", "stdout", "begun", "commands.json"))
        os.mkfifo(self.fifo)
        program = os.path.realpath(line[0])
        command = {"name": "it", "executable": program}
        if "python" in program:
            command["mount-readable"] = [library_of(program)]
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"commands": [command]}, file)

    def expect(self, child, from_pool):
        """That it ended well, in the kind of sandbox that is measured."""
        _, status = os.waitpid(child, 0)
        with open(self.report, encoding="utf-8") as file:
            report = json.load(file)
        if status != 0 or report["status"] != "ok" or report["from_pool"] != from_pool:
            sys.exit(f"not what is measured: {status} {report}")


class Bare:
    """fork and exec of the program, in no sandbox."""

    name = "bare fork and exec"

    def once(self, place):
        took, child = spawned(place.line)
        os.waitpid(child, 0)
        return took


class Pool:
    """Given to a sandbox that is ready, as the server does it."""

    name = "from the pool"

    def once(self, place):
        ours, theirs = socket.socketpair()
        line = [place.server, "ready", "--config", place.config, "--root", place.root, "--max-output", "1000000", "--", "it"]
        # Its end of the socket is its standard input, and nothing else.
        child = os.posix_spawn(place.server, line, {}, file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)])
        theirs.close()
        words = ours.makefile("r")
        said = words.readline()
        if said != '"ready"\n':
            sys.exit(f"no sandbox is ready: {said}")
        reading = os.open(place.fifo, os.O_RDONLY | os.O_NONBLOCK)
        # `begin`: who makes it begins the execution.
        asked = {"id": "it", "begin": place.begin, "arguments": place.line[1:], "project": place.project, "stdout": place.fifo,
                 "stderr": None, "report": place.report, "limits": {"max-output": 1000000}, "user_group": None}
        # As it is when it has waited for a while.
        time.sleep(0.02)
        began = time.perf_counter()
        ours.sendall((json.dumps(asked) + "\n").encode())
        took = first_byte(reading, began)
        os.close(reading)
        place.expect(child, True)
        os.unlink(place.begin)
        ours.close()
        return took


class Made:
    """`opt-server run` with a report, as the server starts one where none is ready."""

    name = "made for it"

    def once(self, place):
        line = [place.server, "run", "--config", place.config, "--root", place.root, "--project", place.project,
                "--report", place.report, "--max-output", "1000000", "--", "it", *place.line[1:]]
        took, child = spawned(line)
        place.expect(child, False)
        return took


def spawned(line):
    """The milliseconds to the first byte of a program, and its process."""
    reading, writing = os.pipe()
    began = time.perf_counter()
    child = os.posix_spawn(line[0], line, {}, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)])
    os.close(writing)
    took = first_byte(reading, began)
    os.close(reading)
    return took, child


def table(rounds, server, line, memory):
    """Of `line`; `memory` is a directory in memory."""
    place = Place(memory, server, line)
    taken = in_turns(rounds, [Bare(), Pool(), Made()], lambda way, _: way.once(place))
    result = Table("a sealed command, to its first byte", "milliseconds", Bare.name, Pool.name, DIFFERENCE)
    result.add(" ".join([os.path.basename(line[0]), *line[1:]]), taken, "+ 2")
    return result
