"""See hack/bench-growth, which calls this in a mount namespace of its own."""

import argparse
import os
import shutil
import statistics
import sys
import tempfile

import bundles
import in_memory
import mounts
import reading
import runtimes
from measure import in_turns, spawn, timed
from rows import a_name
from table import LEAST, cell, put, ratio
from where import where

COMMANDS = ("create", "start", "state", "delete --force", "run /bin/true")
OURS, PEER, FLOOR = "opt-runtime", "crun", "floor with cgroups"


def numbers(text):
    found = [int(number) for number in text.split(",")]
    if found != sorted(set(found)):
        raise argparse.ArgumentTypeError("numbers that go up, with commas")
    return found


def arguments():
    parser = argparse.ArgumentParser(prog="hack/bench-growth")
    parser.add_argument("programs", help="the directory of our programs")
    parser.add_argument("--rounds", type=int, default=30, help="of each row")
    parser.add_argument("--beside", type=numbers, default=[0, 500, 2000], metavar="N,…", help="how many containers are there already")
    parser.add_argument("--mounts", type=numbers, default=[10, 100, 500, 1000, 2000], metavar="N,…", help="of a bundle")
    parser.add_argument("--only", help="the tables whose name has this in it: beside, mounts, images")
    parser.add_argument("--write", metavar="FILE", help="put the tables into this page")
    return parser.parse_args()


class Holder:
    """Keeps containers of each runtime, more and more of them."""

    def __init__(self, all_runtimes, bundle):
        self.runtimes = all_runtimes
        self.bundle = bundle
        self.names = {runtime.name: [] for runtime in all_runtimes}

    def hold(self, count):
        for runtime in self.runtimes:
            names = self.names[runtime.name]
            while len(names) < count:
                names.append(a_name())
                timed(runtime.create(self.bundle, names[-1]))
                timed(runtime.start(names[-1]))

    def release(self):
        for runtime in self.runtimes:
            for name in self.names[runtime.name]:
                os.waitpid(spawn(runtime.force(name)), 0)


def life(runtime, bundle, short):
    """Milliseconds of each command of one container's life, and of `list`; the floor can only run."""
    if runtime.name == FLOOR:
        return {COMMANDS[-1]: timed(runtime.run(short, a_name()))}
    name = a_name()
    lines = (runtime.create(bundle, name), runtime.start(name), runtime.state(name), runtime.force(name), runtime.run(short, a_name()))
    return {**{command: timed(line) for command, line in zip(COMMANDS, lines)}, "list": timed(runtime.line("list", "--quiet"))}


def beside(bench, rounds, counts):
    sleeper, short = bench.bundle("none", "/bin/sleep", "100000"), bench.bundle("none", "/bin/true")
    contestants = [it for it in bench.contestants if it.name in (OURS, PEER, FLOOR)]
    holder, taken = Holder([it for it in contestants if it.name != FLOOR], sleeper), {}
    try:
        for count in counts:
            holder.hold(count)
            print(f"measuring: beside {count} (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
            lives = in_turns(rounds, contestants, lambda it, _: life(it, sleeper, short))
            for name, all_of in lives.items():
                for command in all_of[0]:
                    taken[command, name, count] = [each[command] for each in all_of]
    finally:
        holder.release()
    return beside_table(taken, [it.name for it in contestants], counts)


def beside_table(taken, names, counts):
    head = ["containers there already", *(f"{count:,}" for count in counts), f"{counts[-1]:,} to {counts[0]:,}"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for command in COMMANDS:
        for name in names:
            if (command, name, counts[0]) not in taken:
                continue
            times = [taken[command, name, count] for count in counts]
            lines.append("| " + " | ".join([f"{command}, {name}", *map(cell, times), grown(times)]) + " |")
    for name in names:
        if ("list", name, counts[0]) not in taken:
            continue
        times = [statistics.median(taken["list", name, count]) for count in counts]
        each = [f"{(time - times[0]) / (count - counts[0]) * 1000:.0f} µs a container more" if count > counts[0] else f"{time:.1f} ms"
                for time, count in zip(times, counts)]
        lines.append("| " + " | ".join([f"list --quiet, {name}", *each, ""]) + " |")
    return "\n".join(lines) + "\n\nmilliseconds; median [quartiles]; ratio of medians (90 % of resamplings).\n"


def grown(times):
    found = ratio(times[-1], times[0])
    return "**{:.2f}** ({:.2f} to {:.2f})".format(*found) if found else f"fewer than {LEAST} rounds"


def main():
    options = arguments()
    if options.rounds < 2:
        sys.exit("hack/bench-growth: --rounds must be 2 at least")
    scratch = tempfile.mkdtemp(prefix="opt-growth-", dir="/var/tmp")
    os.chmod(scratch, 0o755)
    program = lambda name: os.path.join(options.programs, name)
    makers = {
        "beside": lambda: beside(bench, options.rounds, options.beside),
        "mounts": lambda: mounts.table(program("opt-server"), scratch, options.rounds, options.mounts),
        "images": lambda: reading.table(program("shifter"), scratch),
    }
    try:
        # Of the runtimes' states.
        with in_memory.directory(scratch, "state"):
            bench = bundles.Bundles(scratch, program("opt-runtime"))
            bench.contestants = runtimes.found(program("opt-runtime"), program("floor"), scratch, [])[0]
            before = os.getloadavg()[0]
            tables = [make() for name, make in makers.items() if not options.only or options.only in name]
            head = (f"{where()}; {options.rounds} rounds in random order; "
                    f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after.\n")
        text = "\n".join([head, *tables])
        print(text)
        if options.write:
            put(options.write, text)
    finally:
        shutil.rmtree(scratch)


main()
