{#- Overrides dbt's own for generic tests: what did not change was tested before. -#}
{% macro default__get_where_subquery(relation) -%}
    {%- set tested = graph.nodes.get('model.' ~ project_name ~ '.' ~ relation.identifier) if execute -%}
    {%- if tested and tested.config.materialized == 'incremental' and not is_full_refresh(model.name) -%}
        {#- All rows of a changed key are in the record, so what it gained and did not lose again are the rows
            that are stored for these keys now. -#}
        (
            select * except (change, refresh_number) from {{ change_feed(relation) }}
            where change = 'inserted'
            except all
            select * except (change, refresh_number) from {{ change_feed(relation) }}
            where change = 'removed'
        ) as changed_rows
    {%- else -%}
        {{ return(relation) }}
    {%- endif -%}
{%- endmacro %}
