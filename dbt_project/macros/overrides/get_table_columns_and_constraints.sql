{#- Overrides dbt's own to choose the compression of text. DuckDB tries every compression that it knows on each column and
    keeps the best one, which is about a third of what writing takes. For text the best one is known before: FSST for
    ids that few rows share, a dictionary for what many rows share. Text that is too long for it is not compressed. -#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    {%- set shared_by_few = ['message_id', 'customer_id', 'order_id', 'credited_message_id'] -%}
    {%- set compressed = {} -%}
    {%- for name, column in model.columns.items() -%}
        {%- set method = 'fsst' if name in shared_by_few else 'dictionary' -%}
        {%- set compression = ' using compression ' ~ method if column.data_type | lower in ['string', 'text'] else '' -%}
        {%- do compressed.update({name: dict(column, data_type=column.data_type ~ compression)}) -%}
    {%- endfor -%}
    {%- set lines = adapter.render_raw_columns_constraints(raw_columns=compressed) -%}
    {%- set lines = lines + adapter.render_raw_model_constraints(raw_constraints=model.constraints) -%}
    (
    {{ lines | join(',\n    ') }}
    )
{%- endmacro %}
