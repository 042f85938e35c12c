{#- How the values of a table are packed. DuckDB packs each column in every way it knows and keeps the best one, which is
    half of what writing text takes. For text the best way is known beforehand: an id that few rows share letter by
    letter, what many rows share by a dictionary. -#}
{% macro duckdb__get_table_columns_and_constraints() -%}
    {%- set shared_by_few = ['message_id', 'customer_id', 'order_id', 'credited_message_id'] -%}
    {%- set packed = {} -%}
    {%- for name, column in model.columns.items() -%}
        {%- set way = 'fsst' if name in shared_by_few else 'dictionary' -%}
        {%- set packing = ' using compression ' ~ way if column.data_type | lower in ['string', 'text'] else '' -%}
        {%- do packed.update({name: dict(column, data_type=column.data_type ~ packing)}) -%}
    {%- endfor -%}
    (
    {{ adapter.render_raw_columns_constraints(raw_columns=packed) | join(',\n    ') }}
    )
{%- endmacro %}
