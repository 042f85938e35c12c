{#- The figures that are sums, in which a difference can be added; the ratios are made of them. -#}
{% macro summed_figures() -%}
    {{ return([
        'messages_sent',
        'messages_skipped',
        'customers_messaged',
        'customers_converted',
        'orders_generated',
        'revenue_generated',
        'revenue_refunded',
        'revenue_credited',
        'active_users',
        'messages_in_open_window',
    ]) }}
{%- endmacro %}

{#- What rows of why() add to the sums (report_figures), all or, with a condition, some of them; times -1 takes it off.
    One row, also of no rows. -#}
{% macro add_moves(moves, times=1, condition='true') %}
    select
        {%- for figure in summed_figures() %}
        {{ times }} * coalesce(sum(case when figure = '{{ figure }}' and {{ condition }} then difference end), 0)
            as {{ figure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ moves }}
{% endmacro %}
