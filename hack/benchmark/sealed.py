"""A sealed Opt-Server command, made and run cold, beside crun that runs a bundle made beforehand."""

import json
import os
import subprocess

from measure import in_turns, timed
from rows import a_name


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


def building(rounds, server, scratch):
    """Milliseconds that explaining python3's sandbox takes, which makes its bundle and runs nothing, beside the program's start alone."""
    config = os.path.join(scratch, "python.json")
    library = subprocess.run(["/usr/bin/python3", "-c", "import os; print(os.path.dirname(os.__file__))"], check=True,
                             capture_output=True, text=True).stdout.strip()
    with open(config, "w", encoding="utf-8") as file:
        json.dump({"commands": [{"name": "it", "executable": "/usr/bin/python3", "mount-readable": [library]}]}, file)

    class Build:
        name = "made"

        def line(self):
            return [server, "explain", "--config", config, "--project", os.path.join(scratch, "project"), "--", "it", "-c", "0"]

    class Start:
        name = "the program's start"

        def line(self):
            return [server, "--version"]

    return in_turns(rounds, [Build(), Start()], lambda it, _: timed(it.line()))
