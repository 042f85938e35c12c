"""A shop's own data by dlt into a bucket, and from there into the reports: see README.md."""
