{#- Overrides dbt's own: here full refreshes are derived, not asked for. -#}
{% macro should_full_refresh() -%}
    {{ return(flags.FULL_REFRESH or is_full_refresh(model.name)) }}
{%- endmacro %}
