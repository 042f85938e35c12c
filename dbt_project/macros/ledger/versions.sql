{#- The versions that parameters of the ledger's functions name. In DuckDB, a parameter hides columns of its name, so
    columns named `version`, `from_version` and `to_version` are always qualified. In PostgreSQL, a column hides parameters
    of its name, so these are qualified too: `parameter` does that. -#}

{#- A table of the ledger. A function of PostgreSQL names its tables by schema alone. -#}
{% macro ledger_table(name) -%}
    {%- set table = source('ledger', name) -%}
    {{ return(table.include(database=false) if target.type == 'postgres' else table) }}
{%- endmacro %}

{% macro parameter(name) -%}
    {{ return(adapter.dispatch('parameter')(name)) }}
{%- endmacro %}

{% macro default__parameter(name) -%}
    {{ name }}
{%- endmacro %}

{% macro postgres__parameter(name) -%}
    {{ model.name }}.{{ name }}
{%- endmacro %}

{#- The version of this name, or the one that readers saw at an instant. An error where the ledger cannot tell what that
    version showed. -#}
{% macro version_named(name) -%}
    {%- set named = 'cast(' ~ parameter(name) ~ ' as varchar)' -%}
    (
        select
            case
                when found.version is null
                    then {{ refuse(
                        "'No version ' || coalesce(" ~ named ~ ", 'NULL') || ' was published. Name one of the table ' "
                        "|| 'versions, or an instant in UTC from ' || coalesce(cast(found.first_instant as varchar), '?') "
                        "|| ' on.'"
                    ) }}
                when found.version < found.first_version
                    then {{ refuse(
                        "'The ledger does not keep what version ' || found.version || ' showed any more. It goes back to ' "
                        "|| 'version ' || found.first_version || ' (ledger_days in hub.toml says for how many days).'"
                    ) }}
                else found.version
            end
        from (
            select
                coalesce(
                    max(case when versions.version = {{ named }} then versions.version end),
                    max(case when versions.published_at <= {{ instant_of(named) }} then versions.version end)
                ) as version,
                min(versions.published_at) as first_instant,
                max(case when not versions.is_linked_to_previous then versions.version end) as first_version
            from {{ ledger_table('versions') }} as versions
        ) as found
    )
{%- endmacro %}

{#- Text as an instant; NULL where it is none, or has an offset from UTC, which casts to a timestamp ignore. -#}
{% macro instant_of(text) -%}
    {{ return(adapter.dispatch('instant_of')(
        text, '[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?(Z|[+]00(:?00)?)?'
    )) }}
{%- endmacro %}

{% macro default__instant_of(text, pattern) -%}
    case when regexp_full_match({{ text }}, '{{ pattern }}') then try_cast({{ text }} as timestamp) end
{%- endmacro %}

{#- Loading makes the function beside the tables. -#}
{% macro postgres__instant_of(text, pattern) -%}
    case when {{ text }} ~ '^({{ pattern }})$' then {{ target.schema }}.timestamp_or_null({{ text }}) end
{%- endmacro %}

{#- The attribution window, in days, that a version was computed with. -#}
{% macro window_of_settings(settings) -%}
    {{ return(adapter.dispatch('window_of_settings')(settings)) }}
{%- endmacro %}

{% macro default__window_of_settings(settings) -%}
    struct_extract({{ settings }}, 'attribution_window_days')
{%- endmacro %}

{% macro postgres__window_of_settings(settings) -%}
    cast({{ settings }} ->> 'attribution_window_days' as integer)
{%- endmacro %}
