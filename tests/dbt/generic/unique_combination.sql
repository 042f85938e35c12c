{#- No two rows have the same values in these columns. -#}
{% test unique_combination(model, columns) %}
{{ repeated_rows(model, columns) }}
{% endtest %}
