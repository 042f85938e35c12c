{#- The periods of the period marts: some numbers of days, and all time. All end with the as-of day. -#}

{% macro period_lengths() -%}
    {{ return([7, 30, 90, 365]) }}
{%- endmacro %}

{#- The first of the last so many days up to the as-of day. -#}
{% macro first_day_of_last(days) -%}
    {%- set as_of = modules.datetime.date.fromisoformat(as_of_day()) -%}
    cast('{{ as_of - modules.datetime.timedelta(days=days - 1) }}' as date)
{%- endmacro %}

{#- The last of the days before the last so many. -#}
{% macro last_day_before_last(days) -%}
    {{ first_day_of_last(days + 1) }}
{%- endmacro %}

{#- The rows of a relation once for each period that their day lies in. All time begins here with the first day that
    there can be, so that no table has to be asked for the first one that there is (report_periods). The periods are
    written out instead of joined: with days that are known before, most of a long history is passed over for the
    short ones. -#}
{% macro in_periods(relation) -%}
    {% for days in period_lengths() %}
    select
        'last_{{ days }}_days' as period,
        {{ first_day_of_last(days) }} as period_start,
        *
    from {{ relation }}
    where message_date between {{ first_day_of_last(days) }} and cast('{{ as_of_day() }}' as date)

    union all
    {% endfor %}

    select
        'all_time' as period,
        cast('0001-01-01' as date) as period_start,
        *
    from {{ relation }}
    where message_date <= cast('{{ as_of_day() }}' as date)
{%- endmacro %}

{#- The rows of a relation once for each period that has one before it, and once for each whose previous period their day
    lies in. `first_day` is the first day of the one or the other. -#}
{% macro in_compared_periods(relation) -%}
    {% for days in period_lengths() %}
    select
        'last_{{ days }}_days' as period,
        false as is_base,
        {{ first_day_of_last(days) }} as first_day,
        *
    from {{ relation }}
    where message_date between {{ first_day_of_last(days) }} and cast('{{ as_of_day() }}' as date)

    union all

    select
        'last_{{ days }}_days' as period,
        true as is_base,
        {{ first_day_of_last(2 * days) }} as first_day,
        *
    from {{ relation }}
    where message_date between {{ first_day_of_last(2 * days) }} and {{ last_day_before_last(days) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
{%- endmacro %}
