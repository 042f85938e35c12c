{{ counts_by_day() }}
