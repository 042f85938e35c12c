{#- Clusters the rows of a rebuilt table by its config `cluster_by`, so that a query reads few rows that it does not need.
    Rows that an incremental refresh replaces are stored at the end. A unit test has no table, so no clustering. -#}
{% macro cluster_rows() -%}
    {%- if config.get('cluster_by') and not is_incremental() -%}
    order by {{ config.get('cluster_by') | join(', ') }}
    {%- endif -%}
{%- endmacro %}
