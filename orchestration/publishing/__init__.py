"""Marts -> what readers open: the published file, and its tables as files of other formats.

Belongs here: what is published, and how it is replaced. Does not belong here: whether the figures are right,
which dbt's checks have said before.
"""
