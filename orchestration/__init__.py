"""How the pipeline runs: settings, loading, dbt, publishing, and the Dagster definitions that tie them.

What the figures mean is not decided here but in ``models/``.
"""

VERSION = "0.4.0"
"""The version of this software; tests hold the other places that state it equal to this one."""
