{{
    config(
        unique_key=['queue_id', 'message_date', 'previous_date'],
        counted_by='queue_id',
        lies_by=['queue_id', 'message_date']
    )
}}

{{ counts_by_day('queue_id') }}
