{{
    config(
        unique_key=['user_id', 'message_date', 'previous_date'],
        counted_by='user_id',
        lies_by=['user_id', 'message_date']
    )
}}

{{ counts_by_day('user_id') }}
