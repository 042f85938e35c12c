"""How the pipeline runs: settings, loading, dbt, publishing, and the Dagster definitions that tie them.

What the figures mean is not decided here but in ``models/``.
"""
