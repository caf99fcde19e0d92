"""See hack/bench, which calls this in a mount namespace of its own."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import bundles
import in_memory
import plot
import podman
import pool
import rows
import runtimes
import sealed
from table import LEAST, Table
from where import where

BESIDE = 500


def arguments():
    parser = argparse.ArgumentParser(prog="hack/bench")
    parser.add_argument("programs", help="the directory of our programs and of floor")
    parser.add_argument("--rounds", type=int, default=60, help=f"of each row; below {LEAST} no ratio is printed")
    parser.add_argument("--beside", type=int, default=BESIDE, help="how many containers are there already in that row; 0 for none")
    parser.add_argument("--also", action="append", default=[], metavar="RUNTIME", help="one more OCI runtime's path, such as youki's")
    parser.add_argument("--output", metavar="DIR", help="write benchmark.md and benchmark.svg there, too")
    parser.add_argument("--only", help="the tables whose name has this in it")
    return parser.parse_args()


class Bench:
    """One run of everything."""

    def __init__(self, options, scratch):
        self.options = options
        self.rounds = options.rounds
        self.scratch = scratch
        program = lambda name: os.path.join(options.programs, name)
        self.server = program("opt-server")
        self.builder = next(filter(os.path.exists, (program("building"), program("examples/building"))), program("building"))
        self.bundles = bundles.Bundles(scratch, program("opt-runtime"))
        self.all, self.runtimes = runtimes.found(program("opt-runtime"), program("floor"), scratch, options.also)
        self.crun = next((it for it in self.runtimes if it.name == "crun"), None)

    def tables(self):
        makers = {"run": self.run, "commands": self.commands, "memory": self.memory, "at once": self.at_once,
                  "beside": self.beside, "sealed": self.sealed, "ready": self.ready, "building": self.building, "podman": self.podman}
        for name, make in makers.items():
            if not self.options.only or self.options.only in name:
                print(f"measuring: {name} (load {os.getloadavg()[0]:.1f})", file=sys.stderr)
                table = make()
                if table:
                    yield table

    def run(self):
        table = Table("run /bin/true", "milliseconds")
        for profile, at_most in (("none", "0.6"), ("sealed", ""), ("podman", "0.4")):
            if profile != "none" and not self.bundles.profiles[profile]:
                continue
            contestants = self.all if profile == "none" else self.runtimes
            bundle = self.bundles.bundle(profile, "/bin/true")
            table.add(f"filter: {profile}", rows.run_true(self.rounds, contestants, bundle), at_most)
        return table

    def commands(self):
        table = Table("one command", "milliseconds")
        reach = {"create": "0.8", "exec": "0.6"}
        bundle = self.bundles.bundle("none", "/bin/sleep", "1000")
        for command, taken in rows.each_command(self.rounds, self.runtimes, bundle).items():
            table.add(command, taken, reach.get(command, "0.5"))
        table.add("create, start, delete --force", rows.whole_cycle(self.rounds, self.runtimes, bundle), "0.55")
        return table

    def memory(self):
        table = Table("peak memory", "KiB")
        bundle = self.bundles.bundle("none", "/bin/sleep", "1000")
        table.add("create", rows.memory_of_create(self.rounds, self.runtimes, bundle), "1.5")
        return table

    def at_once(self):
        table = Table("containers a second", "of run /bin/true; more is better")
        taken = rows.a_second(self.rounds, self.all, self.bundles.bundle("none", "/bin/true"))
        for count, figures in taken.items():
            table.add(f"{count} at once", figures, "at least 1.5" if count == 8 else "")
        return table

    def beside(self):
        if not self.options.beside:
            return None
        table = Table("create, start, delete --force", "milliseconds")
        bundle = self.bundles.bundle("none", "/bin/sleep", "1000")
        for count in (0, self.options.beside):
            taken = rows.beside(self.rounds, self.runtimes, bundle, count)
            table.add(f"beside {count} containers", taken)
        return table

    def sealed(self):
        if not self.crun:
            return None
        bundle = self.bundles.bundle("sealed", "/bin/true")
        taken = sealed.cold(self.rounds, self.server, self.crun, bundle, self.scratch)
        table = Table("a sealed command, cold", "milliseconds", "crun, its bundle made", "opt-server run")
        table.add("busybox true", taken, "0.9")
        return table

    def ready(self):
        with in_memory.directory(self.scratch, "pool") as memory:
            return pool.table(self.rounds, self.server, ["/usr/bin/busybox", "echo", "x"], memory)

    def building(self):
        table = Table("making a bundle", "milliseconds", peer="", ours="opt-runtime")
        for place, (mounts, taken) in sealed.building(self.rounds, self.builder, self.scratch).items():
            table.add(f"python3, {mounts} mounts, warm, {place}", {"opt-runtime": taken}, "1 ms")
        return table

    def podman(self):
        taken = podman.run_true(self.rounds, self.runtimes, self.bundles.rootfs, self.scratch)
        if not taken:
            return None
        table = Table("podman run /bin/true", "milliseconds")
        table.add("an own root file system, no network", taken)
        return table


def version(line):
    try:
        return subprocess.run(line, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    except OSError:
        return ""


def heading(bench):
    peers = ", ".join(version([it.program, "--version"]) for it in bench.runtimes)
    return (f"{where()}; {bench.rounds} rounds in random order; "
            f"load {os.getloadavg()[0]:.1f} before, {{after:.1f}} after.\n\n{peers}.\n")


def main():
    options = arguments()
    if options.rounds < 2:
        sys.exit("hack/bench: --rounds must be 2 at least")
    if options.output:
        # Before anything is measured: what took minutes must have a place.
        os.makedirs(options.output, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="opt-bench-", dir="/var/tmp")
    try:
        # Of the runtimes' states.
        with in_memory.directory(scratch, "state"):
            bench = Bench(options, scratch)
            head = heading(bench)
            tables = list(bench.tables())
            text = "\n".join([head.format(after=os.getloadavg()[0]), *(table.markdown() for table in tables)])
        print(text)
        if options.output and tables:
            for name, content in (("md", text), ("svg", plot.bars(tables[0]))):
                with open(os.path.join(options.output, f"benchmark.{name}"), "w", encoding="utf-8") as file:
                    file.write(content)
    finally:
        shutil.rmtree(scratch)


main()
