"""Which figures of a published version differ from those of the version before it, and why.

Belongs here: the tables of the ledger, and the rows that each publishing adds. Does not belong here: when a
version is published (publishing/publish.py), the questions that readers ask of the ledger
(models/marts/functions/).
"""
