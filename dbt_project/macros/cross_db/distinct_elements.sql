{#- Aggregate: the elements of all lists of a group, each once, in their order. A list that is NULL has none. -#}
{% macro distinct_elements(lists) -%}
    {{ return(adapter.dispatch('distinct_elements')(lists)) }}
{%- endmacro %}

{% macro default__distinct_elements(lists) -%}
    list_sort(list_distinct(flatten(list(coalesce({{ lists }}, [])))))
{%- endmacro %}

{% macro postgres__distinct_elements(lists) -%}
    array(
        select distinct elements.element collate "C"
        from
            jsonb_array_elements(coalesce(jsonb_agg({{ lists }}) filter (where {{ lists }} is not null), '[]'))
                as collected (list)
        cross join jsonb_array_elements_text(collected.list) as elements (element)
        order by 1
    )
{%- endmacro %}

{#- Aggregate: the files of all lists of a group, each once, in the order of their paths. PostgreSQL holds them as JSON. -#}
{% macro distinct_files(lists) -%}
    {{ return(adapter.dispatch('distinct_files')(lists)) }}
{%- endmacro %}

{% macro default__distinct_files(lists) -%}
    {{ distinct_elements(lists) }}
{%- endmacro %}

{% macro postgres__distinct_files(lists) -%}
    (
        select coalesce(jsonb_agg(files.file order by files.path, files.content_hash), '[]')
        from (
            select distinct
                elements.element as file,
                elements.element ->> 'path' collate "C" as path,
                elements.element ->> 'content_hash' collate "C" as content_hash
            from
                jsonb_array_elements(coalesce(jsonb_agg({{ lists }}) filter (where {{ lists }} is not null), '[]'))
                    as collected (list)
            cross join jsonb_array_elements(collected.list) as elements (element)
        ) as files
    )
{%- endmacro %}
