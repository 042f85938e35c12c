{#- No two rows have the same text in this column, the blanks around it aside. -#}
{% test unique_without_blanks(model, column_name) %}
select
    {{ trim_blanks(column_name) }} as {{ column_name }},
    count(*) as number_of_rows
from {{ model }}
where {{ column_name }} is not null
group by {{ trim_blanks(column_name) }}
having count(*) > 1
{% endtest %}
