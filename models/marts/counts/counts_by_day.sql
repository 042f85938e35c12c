{{ config(unique_key=['message_date', 'previous_date'], slices='slices_of_touches') }}

{{ counts_by_day() }}
