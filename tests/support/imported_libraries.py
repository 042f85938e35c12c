"""Imports the libraries of a command, and leaves nothing of the project.

The project reads its settings when its definitions are loaded, so each process loads them by itself.
"""

import sys

from sqlalchemy import create_engine

import orchestration.definitions
from orchestration.operations.record_engines import STORAGES

for storage in STORAGES:
    vars(storage)["create_engine"] = create_engine
for name in [name for name in sys.modules if name.partition(".")[0] == "orchestration"]:
    del sys.modules[name]
del orchestration
