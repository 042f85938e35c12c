{#- What tests of uniqueness look for. -#}

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
        hash({{ listed }}) in (
            select hash({{ listed }}) from {{ relation }}
            group by hash({{ listed }})
            having count(*) > 1
        )
    group by {{ listed }}
    having count(*) > 1
{%- endmacro %}

{#- Overrides dbt's own. -#}
{% macro default__test_unique(model, column_name) %}
select * from ({{ repeated_rows(model, [column_name]) }}) as repeated
where {{ column_name }} is not null
{% endmacro %}
