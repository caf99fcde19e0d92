"""Prints each module of the standard library that can be imported here."""

import importlib
import sys
import warnings

warnings.simplefilter("ignore")
# These two do something when they are imported: one opens a browser, one prints a poem.
for name in sorted(sys.stdlib_module_names - {"antigravity", "this"}):
    try:
        importlib.import_module(name)
        print(name)
    except ImportError:
        pass
