"""Timing programs: each in a process of its own, all of one row in turns, in an order that changes from round to round."""

import os
import random
import sys
import tempfile
import time

QUIET = os.open(os.devnull, os.O_RDWR)
ACTIONS = [(os.POSIX_SPAWN_DUP2, QUIET, descriptor) for descriptor in (0, 1, 2)]
ENVIRONMENT = {"PATH": os.environ["PATH"]}
# The first ones fill the kernel's caches.
WARM_UP = 3


def spawn(line):
    return os.posix_spawnp(line[0], line, ENVIRONMENT, file_actions=ACTIONS)


def timed(line):
    """The milliseconds that a program takes to its end, which has to be a good one."""
    return together([line]) * 1000


def peak_memory(line):
    """KiB. Told by a small program: one that this one spawned would count what this one holds until it executes."""
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as told:
        timed(["/usr/bin/time", "--format", "%M", "--output", told.name, *line])
        return int(told.read())


def together(lines):
    """Runs programs at the same time; the seconds until the last one has ended."""
    began = time.perf_counter()
    children = [spawn(line) for line in lines]
    for child, line in zip(children, lines):
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"hack/bench: exit status {status}: {' '.join(line)}")
    return time.perf_counter() - began


def in_turns(rounds, contestants, once):
    """`{name: [what once(contestant, number) gave]}`."""
    taken = {contestant.name: [] for contestant in contestants}
    order = list(contestants)
    for number in range(rounds + WARM_UP):
        random.shuffle(order)
        for contestant in order:
            result = once(contestant, number)
            if number >= WARM_UP:
                taken[contestant.name].append(result)
    return taken
