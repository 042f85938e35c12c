"""How dbt is called: its project and manifest, the seeds it reads, the process it runs in.

Belongs here: Python around dbt. Does not belong here: models and macros (models/, dbt_project/), what a
refresh asks dbt to compute (incremental).
"""
