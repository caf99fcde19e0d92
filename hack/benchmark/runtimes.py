"""The programs that are compared, and how each is asked for the same work."""

import os
import shutil


class Runtime:
    """An OCI runtime with a state directory of its own."""

    def __init__(self, name, program, scratch):
        self.name = name
        self.program = program
        self.root = os.path.join(scratch, "state", name)
        os.makedirs(self.root)

    def line(self, *words):
        return [self.program, "--root", self.root, *words]

    def run(self, bundle, container):
        return self.line("run", "--bundle", bundle, container)

    def create(self, bundle, container):
        return self.line("create", "--bundle", bundle, container)

    def start(self, container):
        return self.line("start", container)

    def state(self, container):
        return self.line("state", container)

    def exec(self, container, *words):
        return self.line("exec", container, *words)

    def kill(self, container):
        return self.line("kill", container, "KILL")

    def delete(self, container):
        return self.line("delete", container)

    def force(self, container):
        return self.line("delete", "--force", container)


class Floor:
    """One clone3, the mounts, execve; with the cgroups of a container, or without."""

    def __init__(self, name, program, cgroups):
        self.name = name
        self.program = program
        self.cgroups = cgroups

    def run(self, bundle, container):
        return [self.program, bundle, *([container] if self.cgroups else [])]


class Bubblewrap:
    """bwrap(1), with the same namespaces and as much of the same mounts as it knows; it has no cgroups."""

    name = "bwrap"

    def __init__(self, program):
        self.program = program

    def run(self, bundle, _):
        return [self.program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
                "--ro-bind", f"{bundle}/rootfs", "/", "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue",
                "--clearenv", "--setenv", "PATH", "/bin", "--as-pid-1", "/bin/true"]


def found(ours, floor, scratch, others):
    """Those that are installed: `(all of them, those that are OCI runtimes)`. `others` are more runtimes' paths."""
    runtimes = [Runtime("opt-runtime", ours, scratch)]
    for name in ("crun", "runc"):
        if shutil.which(name):
            runtimes.append(Runtime(name, shutil.which(name), scratch))
    runtimes += [Runtime(os.path.basename(path), path, scratch) for path in others]
    rest = [Floor("floor", floor, False), Floor("floor with cgroups", floor, True)]
    if shutil.which("bwrap"):
        rest.append(Bubblewrap(shutil.which("bwrap")))
    return runtimes + rest, runtimes
