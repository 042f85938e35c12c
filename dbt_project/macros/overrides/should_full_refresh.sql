{#- Overrides dbt's own, because full refreshes are derived here, not requested. -#}
{% macro should_full_refresh() -%}
    {{ return(flags.FULL_REFRESH or is_full_refresh(model.name)) }}
{%- endmacro %}
