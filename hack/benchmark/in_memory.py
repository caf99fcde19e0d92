"""A directory in memory, as what is below /run mostly is: what files cost on a disk is another matter."""

import contextlib
import os
import subprocess


@contextlib.contextmanager
def directory(*parts):
    """Makes it, of `os.path.join`'s parts; what is in it is gone with it. For a mount namespace of one's own."""
    path = os.path.join(*parts)
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)
