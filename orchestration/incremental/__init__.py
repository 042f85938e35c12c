"""What a refresh has to compute again, so that an incremental refresh gives what a full refresh would give.

Belongs here: decisions, made before dbt starts. Does not belong here: the SQL of an incremental model
(dbt_project/macros/), the tables of an engine (engines).
"""
