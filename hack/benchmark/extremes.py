"""Images that aren't like most: a file of four gigabytes that is nearly all holes, and a hundred thousand files. Ours, mounted, has
to be what others unpack; time and memory beside theirs."""

import hashlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile

import measure
from site_of_gateway import LAYER, OWN, as_user

HOLES = 4 << 30
FILES = 100_000


class Archived:
    """A layer in an archive."""

    def __init__(self, path, title):
        self.path, self.kind, self.title = path, LAYER, title
        with open(path, "rb") as file:
            self.digest = self.diff = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        self.size = os.path.getsize(path)


def with_holes(place):
    """By tar, which looks for holes. Data at the file's beginning, its end, and here and there between; not along blocks."""
    tree = os.path.join(place, "holes")
    os.mkdir(tree)
    with open(os.path.join(tree, "file"), "wb") as file:
        for at in (0, 5_000_001, 1 << 30, (3 << 30) + 77, HOLES - 100_000):
            file.seek(at)
            file.write(os.urandom(100_000))
    path = f"{tree}.tar"
    subprocess.run(["tar", "--sparse", "--format=gnu", "--owner=0", "--group=0", "-C", tree, "-cf", path, "."], check=True)
    shutil.rmtree(tree)
    return Archived(path, f"a file of {HOLES >> 30} GiB with half a megabyte in it")


def of_many_files(place):
    path = os.path.join(place, "many.tar")
    with tarfile.open(path, "w") as archive:
        for name in [str(one) for one in range(20)] + [f"{one}/{two}" for one in range(20) for two in range(50)]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, 1
            archive.addfile(entry)
        for number in range(FILES):
            entry = tarfile.TarInfo(f"{number % 20}/{number // 20 % 50}/file-{number}")
            entry.size, entry.mtime = number * 7919 % 4500, number
            archive.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return Archived(path, f"{FILES:,} files of 4.5 kB at the most")


def must_be_the_same(ours, theirs):
    """Names, kinds, modes, times, lengths and contents."""
    look = ["find", ".", "-mindepth", "1", "-printf", "%y %P %m %Ts %l %s\n"]
    # The root's time is whenever tar made it.
    told = [subprocess.run(look, cwd=tree, check=True, capture_output=True, text=True).stdout for tree in (ours, theirs)]
    # A directory's length is its file system's business.
    plain = [sorted(line.rsplit(" ", 1)[0] if line.startswith("d") else line for line in text.splitlines()) for text in told]
    if plain[0] != plain[1]:
        sys.exit("hack/bench-gateway: the image isn't what tar unpacks")
    subprocess.run(["diff", "--recursive", "--brief", ours, theirs], check=True)


def theirs(work, layer):
    """What others do with it, without fetching it. umoci knows no file with holes, and takes minutes for so many files."""
    image, tree = f"{work.place}/image.erofs", f"{work.place}/bundle/rootfs"
    # Else directories would have the times of what comes after their entries.
    unpack = f"mkdir -p {tree} && tar --delay-directory-restore -C {tree} -xpf {layer.path}"
    return as_user(OWN, "sh", "-euc", f"{unpack} && mkfs.erofs --quiet -x-1 --all-root {image} {tree} && sync {image}")


class Once:
    def __init__(self, name, line):
        self.name, self.line = name, line


def row(work, layer, rounds):
    """Milliseconds and MiB of ours, and of theirs."""
    ours = Once("ours", work.ours("erofs").line)
    others = Once("theirs", theirs(work, layer))
    taken = measure.in_turns(rounds, [ours, others], work.once)
    peaks = {}
    for contestant in (ours, others):
        work.clear()
        peaks[contestant.name] = measure.peak_memory(contestant.line) / 1024
    # What is there now is theirs; ours beside it.
    image, mounted = f"{work.place}/image.erofs", f"{work.place}/mounted"
    os.remove(image)
    measure.timed(ours.line)
    found = os.stat(image)
    os.mkdir(mounted)
    subprocess.run(["mount", "-t", "erofs", "-o", "ro,loop", image, mounted], check=True)
    try:
        must_be_the_same(mounted, f"{work.place}/bundle/rootfs")
    finally:
        subprocess.run(["umount", mounted], check=True)
    work.clear()
    cells = [layer.title]
    for contestant in (ours, others):
        cells += [f"{statistics.median(taken[contestant.name]):,.0f}", f"{peaks[contestant.name]:.0f}"]
    return [*cells, f"{found.st_size / 1e6:,.0f} ({found.st_blocks * 512 / 1e6:,.0f})"]


def table(works, rounds):
    """`works` are pairs with their layers."""
    head = ["", "ours, ms", "MiB", "tar, mkfs.erofs, ms", "MiB", "our file, MB (on the disk)"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row(work, layer, rounds)) + " |" for work, layer in works]
    return "\n".join(lines) + f"\n\n{rounds} rounds, medians. Each image of ours was mounted and compared with what tar had unpacked.\n"
