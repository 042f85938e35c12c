"""Landed files: what they look like, and how their rows are read."""
