{{ counts_by_day('user_id') }}
