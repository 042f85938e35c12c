{#- Instants are timestamps without zone that hold UTC. These macros say what each engine calls the step
    between an instant and the day of the reporting zone; the zone of the session never matters. -#}

{% macro reporting_date(instant) -%}
    {{ return(adapter.dispatch('reporting_date')(instant)) }}
{%- endmacro %}

{% macro default__reporting_date(instant) -%}
    {%- if reporting_timezone() == 'UTC' -%}
        cast({{ instant }} as date)
    {%- else -%}
        cast(timezone('{{ reporting_timezone() }}', timezone('UTC', {{ instant }})) as date)
    {%- endif -%}
{%- endmacro %}

{% macro spark__reporting_date(instant) -%}
    cast(convert_timezone('UTC', '{{ reporting_timezone() }}', {{ instant }}) as date)
{%- endmacro %}

{#- The instant at which a day begins in the reporting zone. -#}
{% macro start_of_day(day) -%}
    {{ return(adapter.dispatch('start_of_day')(day)) }}
{%- endmacro %}

{#- Where clocks go back across midnight, a day has two midnights; DuckDB takes the second, the day begins
    with the first. -#}
{% macro default__start_of_day(day) -%}
    {%- set midnight = "timezone('UTC', timezone('" ~ reporting_timezone() ~ "', cast(" ~ day ~ " as timestamp)))" -%}
    {%- set hour_before = midnight ~ " - interval 1 hour" -%}
    case when {{ reporting_date(hour_before) }} = {{ day }} then {{ hour_before }} else {{ midnight }} end
{%- endmacro %}

{#- Of two midnights Spark takes the first. -#}
{% macro spark__start_of_day(day) -%}
    convert_timezone('{{ reporting_timezone() }}', 'UTC', cast({{ day }} as timestamp))
{%- endmacro %}

{#- The instant at which the as-of day ends. Without a table, so that it is a constant, by which scans leave rows out. -#}
{% macro end_of_as_of_day() -%}
    {{ start_of_day("cast(cast('" ~ as_of_day() ~ "' as date) + interval 1 day as date)") }}
{%- endmacro %}

{#- The last value before this row that is not NULL. -#}
{% macro last_known_before(column, window) -%}
    {{ return(adapter.dispatch('last_known_before')(column, window)) }}
{%- endmacro %}

{% macro default__last_known_before(column, window) -%}
    lag({{ column }} ignore nulls) over {{ window }}
{%- endmacro %}

{% macro spark__last_known_before(column, window) -%}
    lag({{ column }}) ignore nulls over {{ window }}
{%- endmacro %}

{#- Whether an instant is between two that queries find. These are written out, so that rows of other times are passed
    over unread. In a full refresh, where what the queries read may not be there yet, no instant is. -#}
{% macro is_between_found(instant, first, last) -%}
    {{ instant }} between {{ instant_found_by(first) }} and {{ instant_found_by(last) }}
{%- endmacro %}

{% macro instant_found_by(query) -%}
    {%- set found = run_query(query).columns[0].values()[0] if execute and not is_full_refresh(model.name) -%}
    cast({{ "'" ~ found ~ "'" if found else 'null' }} as timestamp)
{%- endmacro %}
