{#- How a large table is rebuilt: batch by batch. DuckDB computes each in memory, where all rows at once would be moved
    to the disk and back. What belongs together is in one batch, so the batches together give the same rows as all at
    once. Each model ensures that by the conditions below.

    A model's config `batches` says what they are made of: months of what happened in a relation, or customers. Each batch
    is a few variables of the session, which the conditions read; without them, as in a unit test or by hand, they let
    everything pass. -#}
{% macro batches_of_table() -%}
    {%- set batches = config.get('batches') -%}
    {%- if batches['of'] == 'customers' -%}
        {{ return(batches_of_customers(ref(batches['relation']))) }}
    {%- else -%}
        {{ return(batches_of_months(ref(batches['relation']), batches['happened'])) }}
    {%- endif -%}
{%- endmacro %}

{#- Whole months: one, or several where these hold little. Landed events lie about in the order of their time, so the
    rows of a batch are found without reading the others. -#}
{% macro batches_of_months(relation, happened) -%}
    {%- set query -%}
    select cast(min(month) as varchar) as begins_at
    from (
        select
            month,
            (sum(row_count) over (order by month) - row_count) // {{ var('rows_per_batch') }} as batch_number
        from (
            select
                date_trunc('month', {{ happened }}) as month,
                count(*) as row_count
            from {{ relation }}
            group by month
        ) as months
    ) as months_of_batches
    group by batch_number
    order by batch_number
    {%- endset -%}
    {%- set later = run_query(query).columns[0].values()[1:] -%}
    {%- set batches = [] -%}
    {%- for begins_at in [none] + later | list -%}
        {%- do batches.append({
            'batch_begins': "timestamp '" ~ begins_at ~ "'" if begins_at else 'null',
            'batch_ends': 'null' if loop.last else "timestamp '" ~ loop.nextitem ~ "'",
        }) -%}
    {%- endfor -%}
    {{ return(batches) }}
{%- endmacro %}

{#- Customers, as many as keep the sorting of their messages within the limit of memory. -#}
{% macro batches_of_customers(relation) -%}
    {%- set query -%}
    select ceil(count(*) * {{ var('bytes_per_message') }} / parse_formatted_bytes(current_setting('memory_limit')))
    from {{ relation }}
    {%- endset -%}
    {%- set batch_count = [run_query(query).columns[0].values()[0] | int, 1] | max -%}
    {%- set batches = [] -%}
    {%- for batch_number in range(batch_count) -%}
        {%- do batches.append({'batch_number': batch_number, 'batch_count': batch_count}) -%}
    {%- endfor -%}
    {{ return(batches) }}
{%- endmacro %}

{#- Whether something happened in a batch of months, or before it within its reach: at an instant, or on a day. Days are
    compared as days, by which DuckDB passes over the rows of other days unread. -#}
{% macro is_in_batch(happened, reach=none, type='timestamp') -%}
    {{ return(adapter.dispatch('is_in_batch')(happened, reach, type)) }}
{%- endmacro %}

{% macro default__is_in_batch(happened, reach, type) -%}
    true
{%- endmacro %}

{% macro duckdb__is_in_batch(happened, reach, type) -%}
    {%- if is_incremental() -%}
    true
    {%- else -%}
    {{ happened }} >= cast({{ batch_begins() }}{{ ' - ' ~ reach if reach }} as {{ type }})
    and {{ happened }} < cast({{ batch_ends() }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{% macro batch_begins() -%}
    coalesce(getvariable('batch_begins'), timestamp '-infinity')
{%- endmacro %}

{% macro batch_ends() -%}
    coalesce(getvariable('batch_ends'), timestamp 'infinity')
{%- endmacro %}

{#- Whether a customer is in a batch of customers. -#}
{% macro customer_is_in_batch(customer_id) -%}
    {{ return(adapter.dispatch('customer_is_in_batch')(customer_id)) }}
{%- endmacro %}

{% macro default__customer_is_in_batch(customer_id) -%}
    true
{%- endmacro %}

{% macro duckdb__customer_is_in_batch(customer_id) -%}
    {%- if is_incremental() -%}
    true
    {%- else -%}
    -- All in the type of the hash, or each division would be one of 128 bits.
    hash({{ customer_id }}) % cast(coalesce(getvariable('batch_count'), 1) as ubigint)
    = cast(coalesce(getvariable('batch_number'), 0) as ubigint)
    {%- endif -%}
{%- endmacro %}
