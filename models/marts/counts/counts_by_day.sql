{{
    config(
        unique_key=['message_date', 'previous_date'],
        slices='slices_of_touches',
        lies_by=['message_date']
    )
}}

{{ counts_by_day() }}
