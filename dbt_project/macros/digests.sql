{#- Ids and other values as numbers, which are gathered and compared in a fraction of the time. -#}

{#- Values as one number of 64 bits, which in practice no other values share. -#}
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
{% macro id_digest(id) -%}
    {%- set salt = var('digest_salt') -%}
    {{ return(adapter.dispatch('id_digest')("concat(" ~ id ~ ", '" ~ salt ~ "')" if salt else id)) }}
{%- endmacro %}

{% macro duckdb__id_digest(value) -%}
    -- Without its last bit it fits a type that all readers know.
    cast(hash({{ value }}) >> 1 as bigint)
{%- endmacro %}

{% macro spark__id_digest(value) -%}
    xxhash64({{ value }})
{%- endmacro %}
