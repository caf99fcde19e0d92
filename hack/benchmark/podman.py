"""podman(1), with a store of its own that leaves the host's as it is."""

import glob
import os
import shutil
import subprocess

import measure
from measure import in_turns, timed

CONTAINERS = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{place}/tmp"
"""
STORAGE = """[storage]
driver = "overlay"
graphroot = "{place}/storage"
runroot = "{place}/run"
"""


def configure(place):
    """Has every podman that is measured use `place`, a directory."""
    for variable, text in (("CONTAINERS_CONF", CONTAINERS), ("CONTAINERS_STORAGE_CONF", STORAGE)):
        path = os.path.join(place, variable)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.format(place=place))
        measure.ENVIRONMENT[variable] = path


class Podman:
    """`podman run` with one runtime."""

    def __init__(self, runtime, rootfs, cgroup):
        self.name = runtime.name
        self.line = ["podman", "--runtime", runtime.program, "run", "--rm", "--network", "none", "--cgroup-parent", cgroup,
                     "--read-only", "--rootfs", rootfs, "/bin/true"]


def run_true(rounds, runtimes, rootfs, scratch):
    """`podman run /bin/true` with each of the runtimes, in milliseconds; None where there is no podman."""
    if not shutil.which("podman"):
        return None
    place = os.path.join(scratch, "podman")
    os.mkdir(place)
    configure(place)
    cgroup = os.path.basename(scratch)
    contestants = [Podman(runtime, rootfs, f"/{cgroup}") for runtime in runtimes]
    try:
        return in_turns(rounds, contestants, lambda it, _: timed(it.line))
    finally:
        # podman leaves the one that its containers' were in. In the place of a hierarchy that hack/bench hides is a tmpfs, in
        # which runtimes have made files.
        ours = ["(", "-type", "d", "-o", "-path", "/sys/fs/cgroup/unified/*", ")"]
        for path in glob.glob(f"/sys/fs/cgroup/*/{cgroup}"):
            subprocess.run(["find", path, "-depth", *ours, "-delete"], check=False)
