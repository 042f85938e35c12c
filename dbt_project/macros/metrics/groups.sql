{#- The columns of a group as SQL: none, for one group of all rows, or several. -#}

{#- At the head of a list of columns, each with a comma after it. -#}
{% macro list_columns(columns, relation=none) -%}
    {%- for column in columns %}
        {%- if relation %}{{ relation }}.{% endif %}{{ column }},{{ ' ' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro group_by(columns) -%}
    {%- if columns -%}
        group by {{ columns | join(', ') }}
    {%- endif -%}
{%- endmacro %}

{#- Whether rows of two relations are of one group. -#}
{% macro same_group(columns, left_relation, right_relation) -%}
    {%- for column in columns -%}
        {{ left_relation }}.{{ column }} = {{ right_relation }}.{{ column }}
        {%- if not loop.last %} and {% endif -%}
    {%- else -%}
        true
    {%- endfor -%}
{%- endmacro %}
