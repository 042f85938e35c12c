{#- One row: the days that a comparison compares, from the parameters of its table function. Each parameter is read once,
    because a query given as a date, such as (select as_of from report_info), is planned once for each time that it is.

    With `complete_days_only`, both sides end before the first place, counted from their first days, at which the day of
    either is open. From its first open day on, all days of a side are open. So where both sides have as many days, that
    leaves out the open days and those at their places, and both sides stay ranges; where one is longer, it does not go
    on beyond what the other has. -#}
{% macro find_compared_days(report_info) %}
    with

    requested as (

        select
            cast(date_from as date) as first_day,
            cast(date_to as date) as last_day,
            coalesce(against, 'previous') as base_name,
            cast(base_from as date) as first_given_day,
            cast(base_to as date) as last_given_day,
            coalesce(complete_days_only, false) as leaves_out_open_days

    ),

    named_bases as (

        select
            *,
            case base_name
                when 'year' then first_day - 364
                when 'last_year_dates' then cast(first_day - interval '1 year' as date)
                else first_day - cast(last_day - first_day + 1 as integer)
            end as first_named_day,
            case base_name
                when 'year' then last_day - 364
                when 'last_year_dates' then cast(last_day - interval '1 year' as date)
                else first_day - 1
            end as last_named_day
        from requested

    ),

    bases as (

        select
            *,
            coalesce(first_given_day, first_named_day) as first_base_day,
            coalesce(last_given_day, last_named_day) as last_base_day
        from named_bases
        where {{ refuse_impossible_bases() }} is null

    ),

    -- Places are counted from 0. NULL, which `least` passes over, where no day is open.
    places as (

        select
            bases.*,
            least(
                {{ last_complete_place('bases.first_day', 'bases.last_day', 'info.last_closed_day') }},
                {{ last_complete_place('bases.first_base_day', 'bases.last_base_day', 'info.last_closed_day') }}
            ) as last_complete_place
        from bases
        cross join {{ report_info }} as info

    ),

    compared as (

        select
            *,
            case
                when leaves_out_open_days then least(last_day, first_day + last_complete_place)
                else last_day
            end as last_compared_day,
            case
                when leaves_out_open_days then least(last_base_day, first_base_day + last_complete_place)
                else last_base_day
            end as last_compared_base_day
        from places

    )

    select
        first_day,
        last_compared_day as last_day,
        first_base_day,
        last_compared_base_day as last_base_day,
        {{ count_days('first_day', 'last_day') }} - {{ count_days('first_day', 'last_compared_day') }}
            as days_left_out,
        {{ count_days('first_base_day', 'last_base_day') }}
        - {{ count_days('first_base_day', 'last_compared_base_day') }} as days_left_out_base
    from compared
{% endmacro %}

{#- One row per side, with its first and last day. `days` is the row of find_compared_days. -#}
{% macro list_sides(days) -%}
    select
        false as is_base,
        first_day,
        last_day
    from {{ days }}

    union all

    select
        true as is_base,
        first_base_day as first_day,
        last_base_day as last_day
    from {{ days }}
{%- endmacro %}

{#- The rows of a relation once for each side that their day lies in. `first_day` is the first day of that side. -#}
{% macro in_compared_days(relation, sides, columns=['*']) -%}
    select
        sides.is_base,
        sides.first_day,
        {% for column in columns %}
        by_day.{{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ relation }} as by_day
    inner join {{ sides }} as sides on by_day.message_date between sides.first_day and sides.last_day
{%- endmacro %}

{#- The same of a large relation. It is read once for each side, because a join with both sides reads every day from the
    first day of the one to the last day of the other. -#}
{% macro read_compared_days(relation, sides) -%}
    {{ in_compared_days(relation, sides) }}
    where not sides.is_base

    union all

    {{ in_compared_days(relation, sides) }}
    where sides.is_base
{%- endmacro %}

{#- NULL, or an error where the parameters name no base, or two. A condition of the rows, so that it is met whichever
    columns a query reads. -#}
{% macro refuse_impossible_bases() -%}
    case
        when base_name not in ('previous', 'year', 'last_year_dates')
            then {{ refuse(
                "'against is ''' || base_name || '''; it must be ''previous'' (the same number of days just before), ' "
                "|| '''year'' (the same days 364 days before) or ''last_year_dates'' (the same dates a year before). ' "
                "|| 'For any other days give base_from and base_to.'"
            ) }}
        when (first_given_day is null) <> (last_given_day is null)
            then {{ refuse(
                "'base_from and base_to are the first and the last day of the base: give both, or neither.'"
            ) }}
        -- The default cannot be told from 'previous', so base dates replace it.
        when
            base_name <> 'previous'
            and (first_given_day <> first_named_day or last_given_day <> last_named_day)
            then {{ refuse(
                "'against := ''' || base_name || ''' names other days than base_from and base_to. ' "
                "|| 'Give against, or base_from and base_to.'"
            ) }}
    end
{%- endmacro %}

{#- The place of the last day of a side before its first open one. -#}
{% macro last_complete_place(first, last, last_closed_day) -%}
    case
        when {{ first }} <= {{ last }} and {{ last }} > {{ last_closed_day }}
            then cast({{ last_closed_day }} - {{ first }} as integer)
    end
{%- endmacro %}

{% macro count_days(first, last) -%}
    greatest({{ last }} - {{ first }} + 1, 0)
{%- endmacro %}

{#- What a comparison says of its days, as columns: NULL where none is left. -#}
{% macro compared_day_columns(days) -%}
    case when {{ days }}.first_day <= {{ days }}.last_day then {{ days }}.first_day end as period_start,
    case when {{ days }}.first_day <= {{ days }}.last_day then {{ days }}.last_day end as period_end,
    case when {{ days }}.first_base_day <= {{ days }}.last_base_day then {{ days }}.first_base_day end as base_start,
    case when {{ days }}.first_base_day <= {{ days }}.last_base_day then {{ days }}.last_base_day end as base_end,
    {{ days }}.days_left_out,
    {{ days }}.days_left_out_base
{%- endmacro %}
