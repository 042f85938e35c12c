{{ config(unique_key=['queue_id', 'message_date', 'previous_date'], counted_by='queue_id') }}

{{ counts_by_day('queue_id') }}
