"""Landed files -> raw: which files are due, how they are read, what a good row is, what happens to a bad one.

Belongs here: everything between a file in the landing folder and its rows in ``raw`` or ``quarantine``. Does
not belong here: the databases that hold the rows (warehouse), figures (models/).
"""
