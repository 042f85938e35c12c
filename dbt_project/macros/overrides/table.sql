{#- Overrides dbt's own, which makes a table beside the existing one and renames both: three statements, two more asked of
    its cache, and a transaction for the table that is dropped. Here all is one transaction, so whatever ends it leaves the
    existing table as it was. No table of this project has indexes or grants, which dbt's own would see to. -#}
{% materialization table, adapter='duckdb' %}
    {%- set existing, table = load_cached_relation(this), this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        {%- if existing is not none %}
        drop {{ existing.type }} {{ existing }};
        {%- endif %}
        {{ create_table_as(False, table, compiled_code) }}
    {%- endcall -%}
    {%- do persist_docs(table, model) -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [table]}) }}
{% endmaterialization %}
