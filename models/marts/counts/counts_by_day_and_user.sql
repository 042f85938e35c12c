{{ config(unique_key=['user_id', 'message_date', 'previous_date'], counted_by='user_id') }}

{{ counts_by_day('user_id') }}
