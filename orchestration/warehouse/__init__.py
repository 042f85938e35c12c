"""The warehouse: how its databases are opened and upgraded, its record of refreshes, the lock of its writer.

Belongs here: what every step needs before it reads or writes. Does not belong here: what is loaded (landing),
what is computed (incremental, models/), how readers get it (publishing).
"""
