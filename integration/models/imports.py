"""Imports the extension modules whose shared libraries are not among the interpreter's own.

They are opened at run time, so no look at the executable finds them: under `mount-dependencies: FILES`
they must be named in `mount-readable`. Prints each module that can be imported, fails if one can't.
"""

import importlib
import sys

NAMES = ["json", "subprocess", "ctypes", "hashlib", "_hashlib", "ssl", "sqlite3", "bz2", "lzma", "zlib",
         "decimal", "uuid", "curses", "readline", "multiprocessing", "random", "csv", "tempfile"]
failed = []
for name in sys.argv[1:] or NAMES:
    try:
        importlib.import_module(name)
        print("imported", name)
    except ImportError as error:
        failed.append(name)
        print("failed", name, error)
sys.exit(1 if failed else 0)
