-- Nothing is dropped on the way in: a file's rows were accepted or rejected, and every accepted row is there.
{{ config(meta={'dagster': {'ref': {'name': 'stg_messages'}}}) }}

-- Run with the first model, so that it shows as a check of it.
-- depends_on: {{ ref('stg_messages') }}

with

counts as (

    select
        file_id,
        count(*) as row_count
    from (
        select file_id from {{ source('raw', 'message_events') }}
        union all
        select file_id from {{ source('raw', 'order_events') }}
    ) as events
    group by file_id

),

accepted as (

    select
        contents.path,
        sum(counts.row_count) as row_count
    from counts
    inner join {{ source('raw', 'contents') }} as contents on counts.file_id = contents.file_id
    group by contents.path

),

accepted_without_content as (

    select file_id from counts
    where file_id not in (select contents.file_id from {{ source('raw', 'contents') }} as contents)

),

rejected as (

    select
        path,
        count(*) as row_count
    from {{ source('quarantine', 'rejected_events') }}
    group by path

)

select
    files.path,
    files.rows_landed,
    coalesce(accepted.row_count, 0) as rows_accepted,
    coalesce(rejected.row_count, 0) as rows_rejected
from {{ source('raw', 'landed_files') }} as files
left join accepted on files.path = accepted.path
left join rejected on files.path = rejected.path
where
    files.rows_landed <> files.rows_accepted + files.rows_rejected + files.rows_skipped
    or files.rows_accepted <> coalesce(accepted.row_count, 0)
    or files.rows_rejected <> coalesce(rejected.row_count, 0)

union all

select
    'a content without a record, number ' || cast(file_id as varchar(20)) as path,
    0 as rows_landed,
    0 as rows_accepted,
    0 as rows_rejected
from accepted_without_content
