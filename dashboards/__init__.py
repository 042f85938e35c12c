"""The two reports as a dashboard in Apache Superset."""
