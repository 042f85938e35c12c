"""What a person reads in a terminal: the progress of a refresh, the two reports, an output that never fails.

Belongs here: printing. Does not belong here: what the commands do (cli.py), text for Dagster (defs).
"""
