"""What Dagster shows and starts: assets and checks, the job, its schedule and sensor.

Belongs here: Dagster's view of a step, thin, over functions of the other packages. Does not belong here: how
a step works, and putting the definitions together (definitions.py).
"""
