{#- How the rows of a table lie, which its config `lies_by` says: what is asked for together lies together, so that a
    question reads little else. Rows that an incremental refresh replaces stand at the end. A unit test has no table. -#}
{% macro lies_together() -%}
    {%- if config.get('lies_by') and not is_incremental() -%}
    order by {{ config.get('lies_by') | join(', ') }}
    {%- endif -%}
{%- endmacro %}
