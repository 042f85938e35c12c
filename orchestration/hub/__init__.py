"""What belongs to a hub, whoever starts its refreshes: ``hub.toml``, the rights of its files, its owner.

Belongs here: facts about the installation. Does not belong here: settings of a process and the layout of the
data directory (settings.py), data.
"""
