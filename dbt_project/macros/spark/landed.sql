{#- What landed, as Spark sees it: orchestration/engines/ leaves the events, the records of files and of refreshes, and
    what was rejected, as files of Parquet, whose columns say their types. Declared again at each start, so that files
    that came since are seen. -#}
{% macro declare_landed() -%}
    {%- if execute and flags.WHICH in ('build', 'run', 'test', 'seed') -%}
        {{ adapter.dispatch('declare_landed')() }}
    {%- endif -%}
{%- endmacro %}

{% macro default__declare_landed() -%}
{%- endmacro %}

{% macro spark__declare_landed() -%}
    {%- do spark__create_schema(api.Relation.create(schema='changes')) -%}
    {%- for schema, tables in {
        'raw': [
            'message_events', 'order_events', 'removed_message_events', 'removed_order_events',
            'landed_files', 'contents', 'refreshes',
        ],
        'quarantine': ['rejected_events'],
    }.items() -%}
        {%- do spark__create_schema(api.Relation.create(schema=schema)) -%}
        {%- for table in tables -%}
            {%- do run_query('drop table if exists ' ~ schema ~ '.' ~ table) -%}
            {%- do run_query(
                'create table ' ~ schema ~ '.' ~ table ~ ' using parquet location '
                ~ spark_literal(env_var('CONTACT_DATA_DIR') ~ '/spark/landed/' ~ schema ~ '/' ~ table)
            ) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}
