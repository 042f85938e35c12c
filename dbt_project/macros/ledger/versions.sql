{#- The versions that parameters of the ledger's functions name. A parameter hides columns of its name, so
    columns named `version`, `from_version` and `to_version` are always qualified. -#}

{#- The version of this name, or the one that readers saw at an instant. An error where the ledger cannot tell what that
    version showed. -#}
{% macro version_named(parameter) -%}
    {%- set named = 'cast(' ~ parameter ~ ' as varchar)' -%}
    (
        select
            case
                when found.version is null
                    then error(
                        'No version ' || coalesce({{ named }}, 'NULL') || ' was published. Name one of the table '
                        || 'versions, or an instant in UTC from ' || coalesce(cast(found.first_instant as varchar), '?')
                        || ' on.'
                    )
                when found.version < found.first_version
                    then error(
                        'The ledger does not keep what version ' || found.version || ' showed any more. It goes back to '
                        || 'version ' || found.first_version || ' (ledger_days in hub.toml says for how many days).'
                    )
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
            from {{ source('ledger', 'versions') }} as versions
        ) as found
    )
{%- endmacro %}

{#- Text as an instant; NULL where it is none, or has an offset from UTC, which casts to a timestamp ignore. -#}
{% macro instant_of(text) -%}
    case
        when regexp_full_match({{ text }}, '\d{4}-\d\d-\d\d([ T][\d:.]+)?(Z|\+00(:?00)?)?')
            then try_cast({{ text }} as timestamp)
    end
{%- endmacro %}
