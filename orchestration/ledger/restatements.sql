-- The rows of the ledger that lead to a new version: which messages and touches have another share in a
-- figure than in the version before, and why.
--
-- Given are temporary relations (differences.py): `compared`, one row about the two versions;
-- `differing_messages`, `differing_orders` and `differing_touches`, the facts that differ; `unchanged_messages`, the
-- messages that are the same and whose window closed or opened; `files_of_messages` and `files_of_orders`, the
-- files that brought what differs.

-- What happened to each changed message. Without a file, no event changed, but the models did.
create or replace temp table message_causes as
with changes as (
    select
        message_id,
        list_filter(
            [
                if(before.customer_id <> after.customer_id, 'customer_id', null),
                if(before.queue_id <> after.queue_id, 'queue_id', null),
                if(before.user_id <> after.user_id, 'user_id', null),
                if(before.status <> after.status, 'status', null),
                if(before.occurred_at <> after.occurred_at, 'occurred_at', null)
            ],
            lambda field: field is not null
        ) as changed_fields,
        case
            when after.message_id is null then 'message_removed'
            when before.message_id is not null then 'message_changed'
            when after.message_date > compared.as_of then 'message_new'
            else 'message_late'
        end as cause,
        compared.is_same_warehouse
    from differing_messages, compared
)
select changes.message_id, [changes.cause] as causes, changes.changed_fields, coalesce(files, []) as files
from changes
left join files_of_messages on changes.message_id = files_of_messages.message_id
where
    (changes.cause <> 'message_changed' or changes.changed_fields <> [])
    -- A new warehouse does not know what was removed.
    and (files is not null or (changes.cause = 'message_removed' and not changes.is_same_warehouse));

-- The same for each changed order, to which several things may have happened.
create or replace temp table order_causes as
with changes as (
    select
        order_id,
        list_filter(
            [
                if(before.customer_id is distinct from after.customer_id, 'customer_id', null),
                if(before.ordered_at <> after.ordered_at, 'ordered_at', null),
                if(before.sales_channel <> after.sales_channel, 'sales_channel', null),
                if(before.status <> after.status, 'status', null),
                if(before.order_value <> after.order_value, 'order_value', null),
                if(before.refunded_value <> after.refunded_value, 'refunded_value', null)
            ],
            lambda field: field is not null
        ) as changed_fields,
        case
            when before.order_id is null then 'order_new'
            when after.order_id is null then 'order_removed'
        end as came_or_left,
        before.status as status_before,
        compared.is_same_warehouse
    from differing_orders, compared
),
causes as (
    select
        order_id,
        is_same_warehouse,
        if(came_or_left is null, changed_fields, []) as changed_fields,
        case
            when came_or_left is not null then [came_or_left]
            else list_filter(
                [
                    if(
                        list_has_any(changed_fields, ['customer_id', 'ordered_at', 'sales_channel', 'order_value']),
                        'order_changed',
                        null
                    ),
                    case
                        when not list_contains(changed_fields, 'status') then null
                        when status_before = 'placed' then 'order_cancelled'
                        else 'order_reinstated'
                    end,
                    if(list_contains(changed_fields, 'refunded_value'), 'order_refunded', null)
                ],
                lambda cause: cause is not null
            )
        end as causes
    from changes
)
select causes.order_id, causes.causes, causes.changed_fields, coalesce(files, []) as files
from causes
left join files_of_orders on causes.order_id = files_of_orders.order_id
where files is not null or (causes.causes = ['order_removed'] and not causes.is_same_warehouse);

-- The causes of messages that came to an order, left it, or were sent at another instant: where the credit for
-- it moved, they moved it.
create or replace temp table credit_causes as
select
    touches.order_id,
    flatten(list(messages.causes)) as causes,
    flatten(list(messages.changed_fields)) as changed_fields,
    flatten(list(messages.files)) as files
from differing_touches as touches
inner join message_causes as messages on touches.message_id = messages.message_id
where before.sent_at is distinct from after.sent_at
group by touches.order_id;

-- Both entities with the same columns on both sides. `occurred_at` is that of the message, also where it had no
-- such touch.
create or replace temp table restated as
select
    'message' as entity,
    message_id,
    null::varchar as order_id,
    {
        customer_id: before.customer_id,
        message_date: before.message_date,
        queue_id: before.queue_id,
        user_id: before.user_id,
        status: before.status,
        occurred_at: before.occurred_at,
        is_in_open_window:
            before.status = 'sent'
            and before.occurred_at + to_days(compared.window_days_before) > compared.as_of_ends_at_before,
        order_value: null::decimal(18, 2),
        refunded_value: null::decimal(18, 2),
        is_last_touch: null::boolean
    } as before,
    {
        customer_id: after.customer_id,
        message_date: after.message_date,
        queue_id: after.queue_id,
        user_id: after.user_id,
        status: after.status,
        occurred_at: after.occurred_at,
        is_in_open_window:
            after.status = 'sent'
            and after.occurred_at + to_days(compared.window_days_after) > compared.as_of_ends_at_after,
        order_value: null::decimal(18, 2),
        refunded_value: null::decimal(18, 2),
        is_last_touch: null::boolean
    } as after
from (
    select message_id, before, after from differing_messages
    union all
    -- Nothing of these changed but whether their window is open.
    select message_id, messages, messages
    from unchanged_messages as messages
    where message_id not in (select message_id from differing_messages)
) as messages, compared
union all
select
    'touch' as entity,
    touches.message_id,
    touches.order_id,
    {
        customer_id: before.customer_id,
        message_date: before.message_date,
        queue_id: before.queue_id,
        user_id: before.user_id,
        status: if(before.message_id is null, null, 'sent'),
        occurred_at: if(messages.message_id is null, touches.sent_at, messages.occurred_at_before),
        is_in_open_window: null::boolean,
        order_value: before.order_value,
        refunded_value: before.refunded_value,
        is_last_touch: before.is_last_touch
    },
    {
        customer_id: after.customer_id,
        message_date: after.message_date,
        queue_id: after.queue_id,
        user_id: after.user_id,
        status: if(after.message_id is null, null, 'sent'),
        occurred_at: if(messages.message_id is null, touches.sent_at, messages.occurred_at_after),
        is_in_open_window: null::boolean,
        order_value: after.order_value,
        refunded_value: after.refunded_value,
        is_last_touch: after.is_last_touch
    }
from (
    select *, coalesce(before.sent_at, after.sent_at) as sent_at from differing_touches
) as touches
left join (
    select
        message_id,
        before.occurred_at as occurred_at_before,
        after.occurred_at as occurred_at_after
    from differing_messages
) as messages on touches.message_id = messages.message_id;

insert into reports.main.restatements by name
with explained as (
    select
        restated.*,
        list_concat(message_causes.causes, order_causes.causes, credit_causes.causes) as causes,
        list_concat(
            message_causes.changed_fields, order_causes.changed_fields, credit_causes.changed_fields
        ) as changed_fields,
        list_concat(message_causes.files, order_causes.files, credit_causes.files) as files,
        -- Whether an as-of day or a setting closed or opened the window. A change of the message can as well.
        before.occurred_at = after.occurred_at
        and before.status = after.status
        and before.is_in_open_window <> after.is_in_open_window as is_other_window,
        before.occurred_at = after.occurred_at
        and before.message_date <> after.message_date as is_moved_to_other_day
    from restated
    left join message_causes on restated.message_id = message_causes.message_id
    left join order_causes on restated.order_id = order_causes.order_id
    left join credit_causes
        on restated.order_id = credit_causes.order_id and before.is_last_touch <> after.is_last_touch
),
moved as (
    select
        * replace (
            list_concat(
                causes,
                if(
                    is_other_window and has_other_as_of_day and window_days_before = window_days_after,
                    ['as_of_moved'],
                    []
                ),
                if(is_moved_to_other_day, [compared.cause_of_others], [])
            ) as causes
        )
    from explained, compared
)
select
    from_version,
    to_version,
    entity,
    message_id,
    order_id,
    coalesce(after.customer_id, before.customer_id) as customer_id,
    before.customer_id as customer_id_before,
    after.customer_id as customer_id_after,
    before.message_date as message_date_before,
    after.message_date as message_date_after,
    before.queue_id as queue_id_before,
    after.queue_id as queue_id_after,
    before.user_id as user_id_before,
    after.user_id as user_id_after,
    before.status as status_before,
    after.status as status_after,
    before.occurred_at as occurred_at_before,
    after.occurred_at as occurred_at_after,
    before.is_in_open_window as is_in_open_window_before,
    after.is_in_open_window as is_in_open_window_after,
    before.order_value as order_value_before,
    after.order_value as order_value_after,
    before.refunded_value as refunded_value_before,
    after.refunded_value as refunded_value_after,
    before.is_last_touch as is_last_touch_before,
    after.is_last_touch as is_last_touch_after,
    coalesce(before.occurred_at, after.occurred_at) + to_days(window_days_before)
        <= as_of_ends_at_before as was_settled,
    list_sort(list_distinct(if(causes = [], [cause_of_others], causes))) as causes,
    list_sort(list_distinct(changed_fields)) as changed_fields,
    list_sort(list_distinct(files)) as files
from moved
where
    (
        before.customer_id is distinct from after.customer_id
        or before.message_date is distinct from after.message_date
        or before.queue_id is distinct from after.queue_id
        or before.user_id is distinct from after.user_id
        or before.status is distinct from after.status
        or before.is_in_open_window is distinct from after.is_in_open_window
        or before.order_value is distinct from after.order_value
        or before.refunded_value is distinct from after.refunded_value
        or before.is_last_touch is distinct from after.is_last_touch
    )
    -- Growth: a day that the version before had not reached.
    and not (before.customer_id is null and list_contains(new_days, after.message_date));
