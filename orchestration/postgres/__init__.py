"""Published versions in a PostgreSQL database: the same tables and functions, for tools that speak to it.

Belongs here: what the database holds, and how it is brought to the version that is published. Does not
belong here: any figure or metric; functions are compiled from the dbt models, rows are those of the published
file.
"""
