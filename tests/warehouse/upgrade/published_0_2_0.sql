-- What the next version reads of the file that version 0.2.0 published from that warehouse.

create table refreshes (
    refresh_number integer,
    run_id varchar,
    started_at timestamp,
    finished_at timestamp,
    files_loaded bigint,
    files_failed bigint,
    messages_accepted bigint,
    messages_rejected bigint,
    orders_accepted bigint,
    orders_rejected bigint,
    days_recomputed bigint,
    rows_replaced bigint,
    rows_replaced_by_model map(varchar, bigint),
    rebuilt_because varchar[],
    seconds_by_step map(varchar, double),
    version_published varchar,
    loaded_through integer,
    software_version varchar,
    engine varchar
);
insert into refreshes
values
    (
        '1',
        '017a8302-e244-4a12-94b6-2b694bdc0665',
        '2026-11-29 03:07:43.458813',
        '2026-11-29 03:08:15.540343',
        '4',
        '1',
        '3',
        '2',
        '3',
        '0',
        '3',
        '56',
        '{dim_users=2, fct_orders=3, fct_messages=3, dim_queues=2, fct_message_orders=3, mart_user_daily=3, mart_overview=5, report_info=1, mart_queue_daily=3, mart_user_breakdown=8, mart_queue_breakdown=8, mart_overview_daily=3, messages_by_day=3, counts_by_day_and_queue=3, counts_by_day_and_user=3, counts_by_day=3, superseded_messages=0, superseded_orders=0}',
        '[''nothing has been published yet: 28 models and seeds'']',
        '{loading messages=0.286, loading orders=0.436, models=21.009, checks=7.079}',
        '20261129T030814.901567Z',
        '5',
        '0.2.0',
        'duckdb'
    );

create table report_info (
    refreshed_at timestamp,
    as_of date,
    as_of_ends_at timestamp,
    timezone varchar,
    currency varchar,
    attribution_window_days integer,
    newest_event_at timestamp,
    software_version varchar
);
insert into report_info
values
    (
        '2026-11-29 03:07:53.487326',
        '2026-01-31',
        '2026-01-31 23:00:00',
        'Europe/Paris',
        'EUR',
        '7',
        '2026-01-16 10:00:00',
        '0.2.0'
    );
