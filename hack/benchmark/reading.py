"""How much of an image's file a node reads, and how often it asks the file system for a name, until a first container's command has run.

Of bytes, it is what the page cache holds of the file afterwards, of which it held nothing before: what the kernel has read ahead is in it, for that
crosses the network, too.
"""

import os
import re
import shutil
import subprocess
import sys
import time

from library import library_of

USER = "1234"
SOON = 30
# What the kernel reads ahead isn't always the same.
TIMES = 7
PYTHON = "/usr/bin/python3"
CONFIGURATION = """udiMount={place}/udi
imagePath={place}/images
etcPath={place}/etc
defaultImageType=id
maxGroupCount=31
"""
# What a metadata server is asked for.
NAMED = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?(open|openat|openat2|stat|lstat|newfstatat|statx|access|faccessat2?|readlink|readlinkat|getdents64)\(")


def run(*line, **options):
    return subprocess.run(line, check=True, capture_output=True, text=True, **options).stdout


class Site:
    """A Shifter site whose images hold busybox and the host's python3."""

    def __init__(self, shifter, place, state):
        self.place = place
        self.state = state
        self.shifter = os.path.join(place, "shifter")
        os.makedirs(self.path("images"))
        shutil.copy(shifter, self.shifter)
        for name in ("udi", "etc"):
            os.mkdir(self.path(name))
        self.write("udiRoot.conf", CONFIGURATION.format(place=place))
        self.write("etc/passwd", f"user:x:{USER}:{USER}::/:/bin/sh\n")
        self.write("etc/group", f"user:x:{USER}:\n")
        self.write("etc/nsswitch.conf", "passwd: files\n")
        self.tree = self.path("tree")
        self.fill()
        self.images = {"EROFS": self.path("images/erofs.erofs"), "squashfs zstd": self.path("images/zstd.squashfs")}
        run("mkfs.erofs", self.images["EROFS"], self.tree)
        run("mksquashfs", self.tree, self.images["squashfs zstd"], "-comp", "zstd", "-Xcompression-level", "3", "-all-root")
        for name, kind in (("erofs", "erofs"), ("zstd", "squashfs")):
            self.write(f"images/{name}.meta", f"FORMAT: {kind}\nENV: PATH=/bin:/usr/bin\n")

    def path(self, name):
        return os.path.join(self.place, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def fill(self):
        for name in ("bin", "data", "dev", "etc", "proc", "sys", "tmp", "run"):
            os.makedirs(os.path.join(self.tree, name))
        shutil.copy("/bin/busybox", os.path.join(self.tree, "bin/busybox"))
        os.symlink("busybox", os.path.join(self.tree, "bin/true"))
        program = os.path.realpath(PYTHON)
        library = library_of(PYTHON)
        needed = re.findall(r"(/\S+) \(0x", run("ldd", program))
        for path in (program, *needed):
            # Each below its own name, whatever links led to it here.
            self.copy(path, shutil.copy)
        os.symlink(os.path.basename(program), self.tree + PYTHON)
        self.copy(library, lambda source, to: shutil.copytree(source, to, symlinks=True, ignore=shutil.ignore_patterns("test", "dist-packages")))
        # So that a start doesn't read a good part of it by chance.
        for number in range(200):
            with open(os.path.join(self.tree, "data", str(number)), "wb") as file:
                file.write(os.urandom(1 << 20))
        run("chmod", "-R", "a+rX", self.tree)

    def copy(self, path, copy):
        to = self.tree + path
        os.makedirs(os.path.dirname(to), exist_ok=True)
        copy(path, to)

    def container(self, image, *command):
        return [self.shifter, "--config", self.path("udiRoot.conf"), "--state", self.path("node"), "--root", self.state,
                "--user", f"{USER}:{USER}", f"--image=id:{image}", *command]

    def nothing_is_held(self):
        until, node = time.monotonic() + SOON, self.path("node")
        while os.path.isdir(node) and os.listdir(node):
            if time.monotonic() > until:
                sys.exit("hack/bench-growth: an image stays in use")
            time.sleep(0.01)


def held(*paths):
    """Bytes of the files in the page cache."""
    told = run("xargs", "-0", "fincore", "--bytes", "--noheadings", "--output", "RES", input="\0".join(paths))
    return sum(map(int, told.split()))


def forget(*paths):
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    if held(*paths):
        sys.exit(f"hack/bench-growth: {paths[0]} stays in memory: how much is read can't be told")


class OfImage:
    """Containers of one image."""

    def __init__(self, site, path):
        self.site = site
        self.files = [path]
        self.name = os.path.basename(path).partition(".")[0]
        self.names_below = site.path("images")

    def begin(self, _):
        return ""

    def line(self, command):
        self.site.nothing_is_held()
        return self.site.container(self.name, *command)


class OfDirectory:
    """The same files without an image, each by itself."""

    def __init__(self, site):
        self.site = site
        walked = os.walk(site.tree)
        paths = [os.path.join(directory, name) for directory, _, names in walked for name in names]
        self.files = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
        self.names_below = '"/'

    def begin(self, command):
        # What chroot asks for isn't the command's.
        return f'execve("{command[0]}"'

    def line(self, command):
        return ["chroot", self.site.tree, *command]


def bytes_read(source, command):
    line = source.line(command)
    forget(*source.files)
    run(*line)
    return held(*source.files)


def names_asked(source, command):
    """Calls that name something of what is looked at."""
    told = run("strace", "-f", "-y", "-qq", "-o", "/dev/stdout", *source.line(command))
    told = told[told.index(source.begin(command)):]
    return sum(1 for call in told.splitlines() if NAMED.match(call) and source.names_below in call)


def table(shifter, scratch):
    site = Site(shifter, os.path.join(scratch, "site"), os.path.join(scratch, "state/shifter"))
    commands = {"busybox's true": ["/bin/true"], "python3, three imports": [PYTHON, "-c", "import json, decimal, email.message"]}
    sources = {image: OfImage(site, path) for image, path in site.images.items()} | {"the same files in a directory": OfDirectory(site)}
    head = ["image", "its size, MB", "command", "read of it, MB", "names asked for"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for image, source in sources.items():
        size = sum(map(os.path.getsize, source.files))
        for name, command in commands.items():
            read = sorted(bytes_read(source, command) / 1e6 for _ in range(TIMES))
            names = names_asked(source, command)
            lines.append(f"| {image} | {size / 1e6:.0f} | {name} | {read[TIMES // 2]:.1f} [{read[0]:.1f}, {read[-1]:.1f}] | {names} |")
    return "\n".join(lines) + f"\n\nOf {TIMES} times, with nothing of the files in memory: median [least, most].\n"
