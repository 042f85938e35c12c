"""Running a hub day by day: its state, its runs, what is kept of them, backups and how they are restored.

Belongs here: what an operator or a monitor asks for. Does not belong here: the steps of a refresh, the
commands themselves (cli.py).
"""
