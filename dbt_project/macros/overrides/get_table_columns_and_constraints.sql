{#- How the values of a table are packed. DuckDB tries every way it knows on each column and keeps the best one, which is
    about a third of what writing takes. For text the best way is known beforehand: an id that few rows share letter by
    letter, what many rows share by a dictionary. Text that is too long for it is kept as it is. -#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    {%- set shared_by_few = ['message_id', 'customer_id', 'order_id', 'credited_message_id'] -%}
    {%- set packed = {} -%}
    {%- for name, column in model.columns.items() -%}
        {%- set way = 'fsst' if name in shared_by_few else 'dictionary' -%}
        {%- set packing = ' using compression ' ~ way if column.data_type | lower in ['string', 'text'] else '' -%}
        {%- do packed.update({name: dict(column, data_type=column.data_type ~ packing)}) -%}
    {%- endfor -%}
    {%- set lines = adapter.render_raw_columns_constraints(raw_columns=packed) -%}
    {%- set lines = lines + adapter.render_raw_model_constraints(raw_constraints=model.constraints) -%}
    (
    {{ lines | join(',\n    ') }}
    )
{%- endmacro %}
