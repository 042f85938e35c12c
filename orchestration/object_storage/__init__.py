"""Folders in object storage: S3, Google Cloud Storage, Azure, or a mounted folder.

Belongs here: bringing the landing folder in line with one, and copying published versions into one. Does not
belong here: what is done with landed files (landing), what is published (publishing).
"""
