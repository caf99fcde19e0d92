"""A sealed Opt-Server command, made and run cold, beside crun that runs a bundle made beforehand."""

import json
import os
import subprocess

import in_memory
from library import library_of
from measure import WARM_UP, in_turns, timed
from rows import a_name

# Of the bundle that is built.
MOUNTS = 40


class Cold:
    """`opt-server run`: builds the bundle, checks it, observes it, runs it."""

    name = "opt-server run"

    def __init__(self, server, scratch):
        self.server = server
        self.scratch = scratch
        self.project = os.path.join(scratch, "project")
        os.mkdir(self.project)
        os.chown(self.project, 65534, 65534)
        self.config = os.path.join(scratch, "commands.json")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"commands": [{"name": "it", "executable": "/bin/busybox"}]}, file)

    def run(self):
        return [self.server, "run", "--config", self.config, "--root", os.path.join(self.scratch, "state/opt-server"),
                "--project", self.project, "--", "it", "true"]


class Ready:
    """crun with a bundle like it that is there already."""

    def __init__(self, crun, bundle):
        self.name = f"{crun.name}, its bundle made"
        self.crun = crun
        self.bundle = bundle

    def run(self):
        return self.crun.run(self.bundle, a_name())


def cold(rounds, server, crun, bundle, scratch):
    contestants = [Cold(server, scratch), Ready(crun, bundle)]
    return in_turns(rounds, contestants, lambda it, _: timed(it.run()))


def building(rounds, program, scratch):
    """`{where: (mounts, [milliseconds])}` of making python3's bundle in one process that has made it before."""
    config = os.path.join(scratch, "python.json")
    library = library_of("/usr/bin/python3")
    parts = sorted(entry.path for entry in os.scandir(library) if entry.is_dir() and not entry.is_symlink())

    def build(project, readable, times):
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"commands": [{"name": "it", "executable": "/usr/bin/python3", "mount-readable": readable,
                                     "mount-dependencies": "FILES"}]}, file)
        told = subprocess.run([program, config, project, str(times), "it", "-c", "0"], check=True, capture_output=True, text=True)
        return json.loads(told.stdout)

    with in_memory.directory(scratch, "memory") as memory:
        taken = {}
        for where, above in (("in memory", memory), ("on disk", scratch)):
            project = os.path.join(above, "project-of-building")
            os.mkdir(project)
            there = build(project, [], 1)["mounts"]
            built = build(project, parts[:max(MOUNTS - there, 0)], rounds + WARM_UP)
            taken[where] = built["mounts"], built["milliseconds"][WARM_UP:]
        return taken
