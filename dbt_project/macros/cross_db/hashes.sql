{#- Hashes of ids and other values: numbers, which are grouped and compared in a fraction of the time. -#}

{#- Values as one number of 64 bits, which values that differ by accident hardly ever share. -#}
{% macro hash_of() -%}
    {{ return(adapter.dispatch('hash_of')(varargs | join(', '))) }}
{%- endmacro %}

{% macro default__hash_of(listed) -%}
    hash({{ listed }})
{%- endmacro %}

{% macro spark__hash_of(listed) -%}
    xxhash64({{ listed }})
{%- endmacro %}

{#- An id as a number that tells it from every other one of its column: assert_hashes_tell_ids_apart holds that no two
    share one. Should that ever find two, another `digest_salt` gives all of them other numbers. -#}
{% macro unique_hash(id) -%}
    {%- set salt = var('digest_salt') | string | replace("'", "''") -%}
    {#- In front: behind the ids, what makes two of them collide could already have happened. -#}
    {{ return(adapter.dispatch('unique_hash')("concat('" ~ salt ~ "', " ~ id ~ ")" if salt else id)) }}
{%- endmacro %}

{% macro default__unique_hash(value) -%}
    {{ return(hash_of(value)) }}
{%- endmacro %}

{#- Half of an MD5. DuckDB's own hash() is made for speed: ids such as a day and a number share its values by the
    thousand. -#}
{% macro duckdb__unique_hash(value) -%}
    -- One bit less fits a type that all readers know.
    cast(md5_number({{ value }}) >> 65 as bigint)
{%- endmacro %}
