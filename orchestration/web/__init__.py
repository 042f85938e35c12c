"""Dagster's web UI on this machine, and who may talk to it.

Belongs here: the server and its guard. Does not belong here: what the web UI shows (defs).
"""
