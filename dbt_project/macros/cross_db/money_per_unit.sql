{#- Money divided by a count, rounded half up to six decimals; NULL when the count is 0. Never through floating
    point, which is what DuckDB divides decimals into. -#}
{% macro money_per_unit(money, units) -%}
    {{ return(adapter.dispatch('money_per_unit')(money, units)) }}
{%- endmacro %}

{#- Spark divides decimals into decimals, rounded half up. -#}
{% macro spark__money_per_unit(money, units) -%}
    cast({{ money }} / nullif(cast({{ units }} as decimal(19, 0)), 0) as decimal(38, 6))
{%- endmacro %}

{% macro duckdb__money_per_unit(money, units) -%}
    {#- In millionths, the places that are kept: twice the money plus the count, over twice the count. -#}
    cast(
        cast(
            (cast({{ money }} * 1000000 as hugeint) * 2 + {{ units }}) // nullif(2 * {{ units }}, 0)
            as decimal(30, 0)
        ) * 0.000001
        as decimal(38, 6)
    )
{%- endmacro %}

{% macro postgres__money_per_unit(money, units) -%}
    cast(
        div(cast({{ money }} * 1000000 as numeric) * 2 + {{ units }}, nullif(2 * {{ units }}, 0)) * 0.000001
        as decimal(38, 6)
    )
{%- endmacro %}
