-- A warehouse of version 0.2.0, as it wrote it: the tables of raw and quarantine.
create schema raw;
create schema quarantine;

create table quarantine.rejected_events (
    entity varchar not null,
    path varchar not null,
    row_number bigint not null,
    raw_text varchar not null,
    reasons varchar[] not null,
    rejected_at timestamp not null
);
insert into quarantine.rejected_events
values
    (
        'messages',
        'landing/messages/a.csv',
        '3',
        '{"message_id":"m3","customer_id":"c3","queue_id":"q2","user_id":"u1","status":"lost","occurred_at":"2026-01-11T10:00:00Z","updated_at":""}',
        '[unknown_status]',
        '2026-11-29 03:07:43.478311'
    ),
    (
        'messages',
        'landing/messages/gone.csv',
        '2',
        '{"message_id":"m5","customer_id":"","queue_id":"q2","user_id":"u1","status":"sent","occurred_at":"2026-01-15T23:30:00Z","updated_at":""}',
        '[missing_customer_id]',
        '2026-11-29 03:07:43.478311'
    );

create table raw.built_models (
    name varchar not null,
    parts varchar not null,
    is_published boolean not null
);

create table raw.landed_files (
    file_id integer not null,
    path varchar not null,
    content_hash varchar,
    entity varchar not null,
    status varchar not null,
    rows_landed bigint not null,
    rows_accepted bigint not null,
    rows_rejected bigint not null,
    error varchar,
    currency varchar not null,
    loaded_at timestamp not null,
    size bigint,
    modified_ns bigint
);
insert into raw.landed_files
values
    (
        '1',
        'landing/messages/a.csv',
        '494eadc78aab2c59926b91987a8a88c871bc6bbf226c4c4a45861b2a834a0b37',
        'messages',
        'loaded',
        '3',
        '2',
        '1',
        null,
        'EUR',
        '2026-11-29 03:07:43.478311',
        '207',
        '1795921614323446399'
    ),
    (
        '2',
        'landing/messages/gone.csv',
        '265c762c5df5082d907f9ff9f40968daa58bf91f03d26b7389382ecbbda599d4',
        'messages',
        'loaded',
        '2',
        '1',
        '1',
        null,
        'EUR',
        '2026-11-29 03:07:43.478311',
        '146',
        '1795921614324971558'
    ),
    (
        '3',
        'landing/orders/broken.csv.gz',
        null,
        'orders',
        'failed',
        '0',
        '0',
        '0',
        'Not a gzipped file (b''no'')',
        'EUR',
        '2026-11-29 03:07:44.329157',
        null,
        null
    ),
    (
        '4',
        'landing/orders/a.jsonl',
        '6d369ebaebd5d536fe1c1edd2744089d6acc3b242c1b42fb57dec354705e9ae6',
        'orders',
        'loaded',
        '2',
        '2',
        '0',
        null,
        'EUR',
        '2026-11-29 03:07:44.345398',
        '305',
        '1795921614337394414'
    ),
    (
        '5',
        'landing/orders/overwritten.csv',
        '112e42dab0fe8cfc6b1efd86867d9e42b7ba1f25236181f9b3188af9dbbb2957',
        'orders',
        'loaded',
        '1',
        '1',
        '0',
        null,
        'EUR',
        '2026-11-29 03:07:44.575502',
        '97',
        '1795921614339639148'
    );

create table raw.message_events (
    message_id varchar,
    customer_id varchar,
    queue_id varchar,
    user_id varchar,
    status varchar,
    occurred_at timestamp,
    updated_at timestamp,
    file_id integer not null,
    row_number bigint not null,
    id_digest ubigint not null
);
insert into raw.message_events
values
    (
        'm1',
        'c1',
        'q1',
        'u1',
        'sent',
        '2026-01-10 10:00:00',
        '2026-01-10 10:00:00',
        '1',
        '1',
        '1856442838257085546'
    ),
    (
        'm2',
        'c2',
        'q1',
        'u2',
        'sent',
        '2026-01-11 10:00:00',
        '2026-01-12 08:00:00',
        '1',
        '2',
        '4078469153103118981'
    ),
    (
        'm4',
        'c4',
        'q2',
        'u1',
        'sent',
        '2026-01-15 23:30:00',
        '2026-01-15 23:30:00',
        '2',
        '1',
        '12474025524124247830'
    );

create table raw.order_events (
    order_id varchar,
    customer_id varchar,
    ordered_at timestamp,
    order_value decimal(18,2),
    refunded_value decimal(18,2),
    sales_channel varchar,
    status varchar,
    updated_at timestamp,
    file_id integer not null,
    row_number bigint not null,
    id_digest ubigint not null
);
insert into raw.order_events
values
    (
        'o1',
        'c1',
        '2026-01-12 10:00:00',
        '19.99',
        '0.00',
        'online',
        'placed',
        '2026-01-12 10:00:00',
        '4',
        '1',
        '841724502770919851'
    ),
    (
        'o2',
        'c2',
        '2026-01-13 10:00:00',
        '7.50',
        '0.00',
        'online',
        'placed',
        '2026-01-13 10:00:00',
        '5',
        '1',
        '8193016924328626347'
    ),
    (
        'o4',
        'c4',
        '2026-01-16 10:00:00',
        '40.00',
        '5.00',
        'in_store',
        'placed',
        '2026-01-16 10:00:00',
        '4',
        '2',
        '6603472415289348306'
    );

create table raw.queue_names (
    queue_id varchar,
    queue_name varchar
);

create table raw.refreshes (
    refresh_number integer not null,
    run_id varchar not null,
    started_at timestamp not null,
    finished_at timestamp,
    files_loaded bigint not null,
    files_failed bigint not null,
    messages_accepted bigint not null,
    messages_rejected bigint not null,
    orders_accepted bigint not null,
    orders_rejected bigint not null,
    days_recomputed bigint,
    rows_replaced bigint,
    rows_replaced_by_model map(varchar, bigint),
    rebuilt_because varchar[],
    seconds_by_step map(varchar, double) not null,
    version_published varchar,
    loaded_through integer,
    software_version varchar not null,
    engine varchar not null
);
insert into raw.refreshes
values
    (
        '1',
        '017a8302-e244-4a12-94b6-2b694bdc0665',
        '2026-11-29 03:07:43.458813',
        '2026-11-29 03:08:16.298068',
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
        '{loading messages=0.286, loading orders=0.436, models=21.009, checks=7.079, publishing=1.396}',
        '20261129T030814.901567Z',
        '5',
        '0.2.0',
        'duckdb'
    );

create table raw.user_names (
    user_id varchar,
    user_name varchar
);
