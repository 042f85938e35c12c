"""Imports the libraries of a command, and nothing of the project.

The project reads its settings when its definitions are loaded, so each process loads them by itself.
"""

import sys

import orchestration.definitions

for name in [name for name in sys.modules if name.partition(".")[0] == "orchestration"]:
    del sys.modules[name]
del orchestration
