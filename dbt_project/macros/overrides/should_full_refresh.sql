{#- Overrides dbt's own: here full refreshes are derived, not asked for. -#}
{% macro should_full_refresh() -%}
    {{ return(flags.FULL_REFRESH or computed_whole(model.name)) }}
{%- endmacro %}
