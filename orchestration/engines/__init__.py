"""What computes the models, DuckDB or Spark: where each keeps its tables and events, and how it is reached.

Belongs here: whatever differs between engines. Does not belong here: the models, and the differences of their
SQL (dbt_project/macros/).
"""
