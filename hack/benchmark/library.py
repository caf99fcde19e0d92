"""Python's own library."""

import subprocess


def library_of(python):
    """The directory that it is in."""
    told = subprocess.run([python, "-c", "import os; print(os.path.dirname(os.__file__))"], check=True, capture_output=True, text=True)
    return told.stdout.strip()
