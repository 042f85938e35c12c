{{ config(unique_key=['message_date', 'previous_date']) }}

{{ counts_by_day() }}
