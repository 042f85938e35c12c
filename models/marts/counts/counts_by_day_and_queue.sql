{{ counts_by_day('queue_id') }}
