{#- The days that a comparison compares, as expressions of the parameters of its table function. Expressions, because days
    from a query would not let the functions that are compared pass over the rows of other days.

    With `complete_days_only`, both sides end before the first place, counted from their first days, at which the day of
    either is open. From its first open day on, all days of a side are open. So where both sides have as many days, that
    leaves out the open days and those at their places, and both sides stay ranges; where one is longer, it does not go
    on beyond what the other has. -#}

{% macro first_compared_day() -%}
    cast(date_from as date)
{%- endmacro %}

{% macro last_compared_day() -%}
    case
        when complete_days_only
            then least(cast(date_to as date), cast(date_from as date) + {{ last_complete_offset() }})
        else cast(date_to as date)
    end
{%- endmacro %}

{% macro first_base_day() -%}
    coalesce(cast(base_from as date), {{ first_day_of_named_base() }})
{%- endmacro %}

{% macro last_base_day() -%}
    case
        when complete_days_only
            then least({{ last_requested_base_day() }}, {{ first_base_day() }} + {{ last_complete_offset() }})
        else {{ last_requested_base_day() }}
    end
{%- endmacro %}

{% macro last_requested_base_day() -%}
    coalesce(cast(base_to as date), {{ last_day_of_named_base() }})
{%- endmacro %}

{#- How many days after the first one of its side the last day is that is complete on both sides. NULL, which `least` passes
    over, where all days of both are. -#}
{% macro last_complete_offset() -%}
    least(
        {{ last_complete_offset_of(first_compared_day(), 'cast(date_to as date)') }},
        {{ last_complete_offset_of(first_base_day(), last_requested_base_day()) }}
    )
{%- endmacro %}

{% macro last_complete_offset_of(first, last) -%}
    {%- set last_closed_day -%}
    (select info.last_closed_day from {{ ref('report_info') }} as info)
    {%- endset -%}
    case
        when {{ first }} <= {{ last }} and {{ last }} > {{ last_closed_day }}
            then cast({{ last_closed_day }} - {{ first }} as integer)
    end
{%- endmacro %}

{#- The base that `against` names. -#}
{% macro first_day_of_named_base() -%}
    case against
        when 'year' then cast(date_from as date) - 364
        when 'last_year_dates' then cast(cast(date_from as date) - interval 1 year as date)
        else cast(date_from as date) - cast(cast(date_to as date) - cast(date_from as date) + 1 as integer)
    end
{%- endmacro %}

{% macro last_day_of_named_base() -%}
    case against
        when 'year' then cast(date_to as date) - 364
        when 'last_year_dates' then cast(cast(date_to as date) - interval 1 year as date)
        else cast(date_from as date) - 1
    end
{%- endmacro %}

{#- NULL, or an error where the parameters name no base, or two. -#}
{% macro refuse_impossible_bases() -%}
    case
        when against not in ('previous', 'year', 'last_year_dates')
            then cast(error(
                'against is ''' || against || '''; it must be ''previous'' (the as many days just before), ''year'' '
                || '(the same days 364 days before) or ''last_year_dates'' (the same dates a year before). '
                || 'For any other days give base_from and base_to.'
            ) as date)
        when (base_from is null) <> (base_to is null)
            then cast(error(
                'base_from and base_to are the first and the last day of the base: give both, or neither.'
            ) as date)
        -- The default cannot be told from 'previous', so base dates replace it.
        when
            against <> 'previous'
            and (
                cast(base_from as date) <> {{ first_day_of_named_base() }}
                or cast(base_to as date) <> {{ last_day_of_named_base() }}
            )
            then cast(error(
                'against := ''' || against || ''' names other days than base_from and base_to. '
                || 'Give against, or base_from and base_to.'
            ) as date)
    end
{%- endmacro %}

{#- One row: the days that are compared, NULL where none is left, and how many were left out. -#}
{% macro describe_compared_days() -%}
    select
        {{ unless_empty(first_compared_day(), first_compared_day(), last_compared_day()) }} as period_start,
        {{ unless_empty(last_compared_day(), first_compared_day(), last_compared_day()) }} as period_end,
        {{ unless_empty(first_base_day(), first_base_day(), last_base_day()) }} as base_start,
        {{ unless_empty(last_base_day(), first_base_day(), last_base_day()) }} as base_end,
        {{ count_days(first_compared_day(), 'cast(date_to as date)') }}
        - {{ count_days(first_compared_day(), last_compared_day()) }} as days_left_out,
        {{ count_days(first_base_day(), last_requested_base_day()) }}
        - {{ count_days(first_base_day(), last_base_day()) }} as days_left_out_base
    -- As a condition, which is met whichever columns a query reads.
    where {{ refuse_impossible_bases() }} is null
{%- endmacro %}

{% macro unless_empty(day, first, last) -%}
    case when {{ first }} <= {{ last }} then {{ day }} end
{%- endmacro %}

{% macro count_days(first, last) -%}
    greatest({{ last }} - {{ first }} + 1, 0)
{%- endmacro %}
