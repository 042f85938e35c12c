{#- The attribution window as a length of time: days of 24 hours between instants, so that daylight saving
    neither stretches nor shrinks it. -#}
{% macro attribution_window() -%}
    interval {{ var('attribution_window_days') * 24 }} hour
{%- endmacro %}

{#- The time bucket of an instant. Buckets are as long as the attribution window, and numbered. -#}
{% macro time_bucket(instant) -%}
    {{ return(adapter.dispatch('time_bucket')(instant)) }}
{%- endmacro %}

{% macro default__time_bucket(instant) -%}
    epoch_us({{ instant }}) // {{ var('attribution_window_days') * 24 * 60 * 60 * 1000000 }}
{%- endmacro %}

{% macro spark__time_bucket(instant) -%}
    unix_micros(cast({{ instant }} as timestamp_ltz)) div {{ var('attribution_window_days') * 24 * 60 * 60 * 1000000 }}
{%- endmacro %}

{#- The rows of a relation twice: with the time bucket of an instant and with the next one, as reached_time_bucket. What
    follows the instant within the attribution window is in one of the two. -#}
{% macro reach_time_buckets(relation, instant) -%}
    select
        events.*,
        {{ time_bucket('events.' ~ instant) }} + buckets_ahead.bucket_count as reached_time_bucket
    from {{ relation }} as events
    cross join (select 0 as bucket_count union all select 1 as bucket_count) as buckets_ahead
{%- endmacro %}
