{#- How a large table is rebuilt: slice by slice, each of which DuckDB can work on in memory, where all at once
    would move to the disk and back. What belongs together lies in one slice, so the slices together give the same
    rows as all at once: that is for each model to see to, by the conditions below.

    A model's config `slices` says what they are made of: months of what happened in a relation, or customers. Each
    slice is a few variables of the session, which the conditions read; without them, as in a unit test or by hand, they let
    everything pass. -#}
{% macro slices_of_table() -%}
    {%- set slices = config.get('slices') -%}
    {%- if slices['of'] == 'customers' -%}
        {{ return(slices_of_customers(ref(slices['relation']))) }}
    {%- else -%}
        {{ return(slices_of_months(ref(slices['relation']), slices['happened'])) }}
    {%- endif -%}
{%- endmacro %}

{#- Whole months: one, or several where these hold little. Landed events lie about in the order of their time, so the
    rows of a slice are found without reading the others. -#}
{% macro slices_of_months(relation, happened) -%}
    {%- set query -%}
    select cast(min(month) as varchar) as begins_at
    from (
        select
            month,
            (sum(row_count) over (order by month) - row_count) // {{ var('rows_per_slice') }} as slice_number
        from (
            select
                date_trunc('month', {{ happened }}) as month,
                count(*) as row_count
            from {{ relation }}
            group by month
        ) as months
    ) as months_of_slices
    group by slice_number
    order by slice_number
    {%- endset -%}
    {%- set later = run_query(query).columns[0].values()[1:] -%}
    {%- set slices = [] -%}
    {%- for begins_at in [none] + later | list -%}
        {%- do slices.append({
            'slice_begins': "timestamp '" ~ begins_at ~ "'" if begins_at else 'null',
            'slice_ends': 'null' if loop.last else "timestamp '" ~ loop.nextitem ~ "'",
        }) -%}
    {%- endfor -%}
    {{ return(slices) }}
{%- endmacro %}

{#- Customers, as many as keep the sorting of their messages within the limit of memory. -#}
{% macro slices_of_customers(relation) -%}
    {%- set query -%}
    select ceil(count(*) * {{ var('bytes_per_message') }} / parse_formatted_bytes(current_setting('memory_limit')))
    from {{ relation }}
    {%- endset -%}
    {%- set slice_count = [run_query(query).columns[0].values()[0] | int, 1] | max -%}
    {%- set slices = [] -%}
    {%- for slice_number in range(slice_count) -%}
        {%- do slices.append({'slice_number': slice_number, 'slice_count': slice_count}) -%}
    {%- endfor -%}
    {{ return(slices) }}
{%- endmacro %}

{#- Whether something happened in a slice of months, or before it within its reach: at an instant, or on a day. Days are
    compared as days, by which DuckDB passes over the rows of other days unread. -#}
{% macro is_in_slice(happened, reach=none, type='timestamp') -%}
    {{ return(adapter.dispatch('is_in_slice')(happened, reach, type)) }}
{%- endmacro %}

{% macro default__is_in_slice(happened, reach, type) -%}
    true
{%- endmacro %}

{% macro duckdb__is_in_slice(happened, reach, type) -%}
    {%- if is_incremental() -%}
    true
    {%- else -%}
    {{ happened }} >= cast({{ slice_begins() }}{{ ' - ' ~ reach if reach }} as {{ type }})
    and {{ happened }} < cast({{ slice_ends() }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{% macro slice_begins() -%}
    coalesce(getvariable('slice_begins'), timestamp '-infinity')
{%- endmacro %}

{% macro slice_ends() -%}
    coalesce(getvariable('slice_ends'), timestamp 'infinity')
{%- endmacro %}

{#- Whether a customer is in a slice of customers. -#}
{% macro customer_is_in_slice(customer_id) -%}
    {{ return(adapter.dispatch('customer_is_in_slice')(customer_id)) }}
{%- endmacro %}

{% macro default__customer_is_in_slice(customer_id) -%}
    true
{%- endmacro %}

{% macro duckdb__customer_is_in_slice(customer_id) -%}
    {%- if is_incremental() -%}
    true
    {%- else -%}
    -- All in the type of the digest, or each division would be one of 128 bits.
    hash({{ customer_id }}) % cast(coalesce(getvariable('slice_count'), 1) as ubigint)
    = cast(coalesce(getvariable('slice_number'), 0) as ubigint)
    {%- endif -%}
{%- endmacro %}
