"""See hack/bench-images, which calls this in a mount namespace of its own."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

import measure
import podman
from table import LEAST, cell, put, ratio
from where import where

USER = "1234"
SOON = 30
CONFIGURATION = """udiMount={place}/udi
imagePath={place}/images
etcPath={place}/etc
defaultImageType=id
maxGroupCount=31
"""


def arguments():
    parser = argparse.ArgumentParser(prog="hack/bench-images")
    parser.add_argument("shifter", help="the program")
    parser.add_argument("--rounds", type=int, default=40, help=f"of each row; below {LEAST} no ratio is printed")
    parser.add_argument("--sizes", default="10,100,1000", metavar="MB,…", help="of the images whose sizes are compared; the first one is for formats")
    parser.add_argument("--write", metavar="FILE", help="put the tables into its section How soon")
    return parser.parse_args()


def run(*line, **options):
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


class Contestant:
    """A command line with a name, and what is waited for, untimed, before it runs again."""

    def __init__(self, name, line, settle=lambda: None):
        self.name = name
        self.line = line
        self.settle = settle


class Site:
    """A Shifter site and a podman store with the same images: MB megabytes of files, and a busybox."""

    def __init__(self, shifter, place, sizes):
        self.place = place
        self.shifter = os.path.join(place, "shifter")
        shutil.copy(shifter, self.shifter)
        for name in ("udi", "images", "etc", "mnt", "podman", "home"):
            os.mkdir(self.path(name))
        self.write("udiRoot.conf", CONFIGURATION.format(place=place))
        self.write("etc/passwd", f"user:x:{USER}:{USER}::/:/bin/sh\n")
        self.write("etc/group", f"user:x:{USER}:\n")
        self.write("etc/nsswitch.conf", "passwd: files\n")
        podman.configure(self.path("podman"))
        self.has_podman = True
        for size in sizes:
            self.make(size, all_formats=size == sizes[0])

    def path(self, name):
        return os.path.join(self.place, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def make(self, size, all_formats):
        tree = self.path(f"images/directory{size}.")
        for name in ("bin", "data", "dev", "etc", "proc", "sys", "tmp", "run"):
            os.makedirs(os.path.join(tree, name))
        shutil.copy("/bin/busybox", os.path.join(tree, "bin/busybox"))
        for applet in ("true", "sh", "sleep"):
            os.symlink("busybox", os.path.join(tree, "bin", applet))
        # Half of it can be compressed.
        for number in range(size * 4):
            with open(os.path.join(tree, "data", str(number)), "wb") as file:
                file.write(os.urandom(1 << 17) + bytes(1 << 17))
        run("chmod", "-R", "a+rX", tree)
        image = lambda name, ending: self.path(f"images/{name}{size}.{ending}")
        run("mkfs.erofs", image("erofs", "erofs"), tree)
        run("mksquashfs", tree, image("zstd", "squashfs"), "-comp", "zstd", "-Xcompression-level", "3", "-all-root")
        formats = {"directory": "VFS", "erofs": "erofs", "zstd": "squashfs"}
        if all_formats:
            run("mksquashfs", tree, image("gzip", "squashfs"), "-comp", "gzip", "-all-root")
            formats["gzip"] = "squashfs"
        for name, kind in formats.items():
            self.write(f"images/{name}{size}.meta", f"FORMAT: {kind}\nENV: PATH=/bin\n")
        self.import_into_podman(tree, size)

    def import_into_podman(self, tree, size):
        tar = self.path("podman/tree.tar")
        run("tar", "-C", tree, "-cf", tar, ".")
        try:
            run("podman", "import", tar, f"localhost/bench:{size}", env=os.environ | measure.ENVIRONMENT)
        except (OSError, subprocess.CalledProcessError):
            self.has_podman = False
        os.remove(tar)

    def container(self, image, *command):
        return [self.shifter, "--config", self.path("udiRoot.conf"), "--state", self.path("node"), "--root", self.path("state"),
                "--user", f"{USER}:{USER}", f"--image=id:{image}", *command]

    def nothing_is_held(self):
        """Waits until no image is mounted, so that the next container mounts again."""
        until = time.monotonic() + SOON
        node = self.path("node")
        while os.path.isdir(node) and os.listdir(node):
            if time.monotonic() > until:
                sys.exit("hack/bench-images: an image stays in use")
            time.sleep(0.001)

    def first(self, name, image):
        return Contestant(name, self.container(image, "true"), self.nothing_is_held)

    def podman(self, size):
        line = ["podman", "run", "--rm", "--network", "host", "--read-only", "--cgroups", "disabled", f"localhost/bench:{size}", "/bin/true"]
        return [Contestant("podman run", line)] if self.has_podman else []

    def by_fuse(self, name, size):
        image = self.path(f"images/{name}{size}.squashfs")
        user = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"]
        line = [*user, self.shifter, "image", "mount", image, self.path("mnt"), "--", self.path("mnt/bin/true")]
        return Contestant(f"{name}, squashfuse_ll, no container", line)

    def formats(self, size):
        """One image in each format, by containers; and what isn't one beside them."""
        return [
            Contestant("the program alone", [self.path(f"images/directory{size}./bin/true")]),
            self.first("directory", f"directory{size}"),
            self.first("EROFS", f"erofs{size}"),
            self.first("squashfs zstd, loop", f"zstd{size}"),
            self.first("squashfs gzip, loop", f"gzip{size}"),
            self.by_fuse("zstd", size),
            self.by_fuse("gzip", size),
            *self.podman(size),
        ]


def once(contestant, _):
    contestant.settle()
    return measure.timed(contestant.line)


def beside(site, rounds, image):
    """The times of the second container of an image, while a first one runs."""
    holder = subprocess.Popen(site.container(image, "sh", "-c", "echo; exec sleep 1000"), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    try:
        if not holder.stdout.readline():
            sys.exit("hack/bench-images: the first container doesn't run")
        second = Contestant(image, site.container(image, "true"))
        return measure.in_turns(rounds, [second], once)[image]
    finally:
        holder.terminate()
        holder.wait()
        site.nothing_is_held()


def told(ours, theirs):
    found = ratio(ours, theirs)
    return "{:.2f} ({:.2f} to {:.2f})".format(*found) if found else f"fewer than {LEAST} rounds"


def formats_table(site, options, size):
    taken = measure.in_turns(options.rounds, site.formats(size), once)
    peer = taken.get("podman run")
    lines = [f"| image of {size} MB | first container, ms | to podman run | second one, ms | to the first one |", "|---|---|---|---|---|"]
    held = {"EROFS": "erofs", "squashfs zstd, loop": "zstd", "squashfs gzip, loop": "gzip", "directory": "directory"}
    for name, times in taken.items():
        against = told(times, peer) if peer and name != "podman run" else ""
        cells = [name, cell(times), against, "", ""]
        if name in held:
            second = beside(site, options.rounds, f"{held[name]}{size}")
            cells[3:] = [cell(second), told(second, times)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def sizes_table(site, options, sizes):
    """Sizes in turns, too: what else the machine does is the same for all."""
    names = {"EROFS": "erofs", "squashfs zstd, loop": "zstd", "directory": "directory"}
    all_of = [site.first((name, size), f"{image}{size}") for name, image in names.items() for size in sizes]
    for size in sizes:
        for contestant in site.podman(size):
            contestant.name = ("podman run", size)
            all_of.append(contestant)
    taken = measure.in_turns(options.rounds, all_of, once)
    head = ["first container, ms", *(f"{size} MB" for size in sizes), f"{sizes[-1]} MB to {sizes[0]} MB"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name in [*names, *(["podman run"] if site.has_podman else [])]:
        times = [taken[name, size] for size in sizes]
        lines.append("| " + " | ".join([name, *map(cell, times), told(times[-1], times[0])]) + " |")
    return "\n".join(lines) + "\n"


def version(*line):
    said = subprocess.run(line, capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).split("\n")[0].strip()


def heading(options, shifter):
    programs = [version(shifter, "--version"), version("podman", "--version"), version("mkfs.erofs", "--version"), version("mksquashfs", "-version")]
    return (f"{where()}; {options.rounds} rounds in random order; "
            f"load {os.getloadavg()[0]:.1f} before, {{after:.1f}} after. {', '.join(filter(None, programs))}.\n"
            "Medians [quartiles], and ratios of medians (90 % of resamplings).\n")


def main():
    options = arguments()
    sizes = [int(size) for size in options.sizes.split(",")]
    if options.rounds < 2 or sizes != sorted(sizes):
        sys.exit("hack/bench-images: --rounds must be 2 at least, and --sizes go up")
    # An overlay on an overlay would be another matter; and podman's paths have to be short.
    place = tempfile.mkdtemp(prefix="opt-images-", dir="/var/tmp")
    os.chmod(place, 0o755)
    try:
        head = heading(options, options.shifter)
        site = Site(options.shifter, place, sizes)
        if not site.has_podman:
            print("hack/bench-images: podman makes no image here, and isn't measured", file=sys.stderr)
        tables = [formats_table(site, options, sizes[0]), sizes_table(site, options, sizes)]
        text = "\n".join([head.format(after=os.getloadavg()[0]), *tables])
        print(text)
        if options.write:
            put(options.write, text)
    finally:
        subprocess.run(["umount", "--lazy", "--recursive", os.path.join(place, "podman/storage/overlay")], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(place)


main()
