"""A made-up half year of messages and orders, landed as the files of a real hub would be.

Belongs here: what the sample looks like and how its files are written. Does not belong here: how files are
loaded (landing), when the sample is landed (the demo does so, when nothing has landed yet), and the names of
its queues and users (``seeds/queue_names.csv``, ``seeds/user_names.csv``).

The sample is the same, byte for byte, for the same as-of day, zone and currency. Nobody in it is real. All of
it lies in a folder ``sample`` under ``landing/messages`` and ``landing/orders``::

    messages/sample/2026-05/messages-2026-05-04.csv.gz   the messages of a day
    messages/sample/corrections/messages-2026-05-04.csv  messages corrected weeks later
    orders/sample/2026-05/orders-2026-05-04.parquet      the orders placed or changed on a day
    orders/sample/corrections/orders-2026-05-04.ndjson   orders corrected weeks later

In the frames of its modules, days count from 0 (the first day of the sample), instants are UTC in whole
seconds, and money is whole cents until it becomes text.
"""
