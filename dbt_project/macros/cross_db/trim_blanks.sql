{#- Text without the blanks around it: Unicode's White_Space, U+FEFF and U+200B, which orchestration/contracts.py takes
    off landed values too. -#}
{% macro trim_blanks(text) -%}
    {%- set blanks =
        '\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'
        ~ '\u2028\u2029\u202f\u205f\u3000\ufeff\u200b'
    -%}
    {{ return(adapter.dispatch('trim_blanks')(text, blanks)) }}
{%- endmacro %}

{% macro default__trim_blanks(text, blanks) -%}
    trim({{ text }}, '{{ blanks }}')
{%- endmacro %}

{% macro spark__trim_blanks(text, blanks) -%}
    trim(both '{{ blanks }}' from {{ text }})
{%- endmacro %}
