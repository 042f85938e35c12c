{#- Ids and other values as numbers, which are gathered and compared in a fraction of the time. -#}

{#- Values as one number of 64 bits, which values that differ by accident hardly ever share. -#}
{% macro digest_of() -%}
    {{ return(adapter.dispatch('digest_of')(varargs | join(', '))) }}
{%- endmacro %}

{% macro duckdb__digest_of(listed) -%}
    hash({{ listed }})
{%- endmacro %}

{% macro spark__digest_of(listed) -%}
    xxhash64({{ listed }})
{%- endmacro %}

{#- An id as a number that tells it from every other one of its column: assert_digests_tell_ids_apart holds that no two
    share one. Should that ever find two, another `digest_salt` gives all of them other numbers. -#}
{% macro unique_digest(id) -%}
    {%- set salt = var('digest_salt') | string | replace("'", "''") -%}
    {#- In front: behind the ids, what makes two of them collide could already have happened. -#}
    {{ return(adapter.dispatch('unique_digest')("concat('" ~ salt ~ "', " ~ id ~ ")" if salt else id)) }}
{%- endmacro %}

{% macro default__unique_digest(value) -%}
    {{ return(digest_of(value)) }}
{%- endmacro %}

{#- Half of an MD5. DuckDB's own hash() is made for speed: ids such as a day and a number share its values by the
    thousand. -#}
{% macro duckdb__unique_digest(value) -%}
    -- One bit less fits a type that all readers know.
    cast(md5_number({{ value }}) >> 65 as bigint)
{%- endmacro %}
