with

compared as (

    select
        least(named.from_name, named.to_name) as earlier,
        greatest(named.from_name, named.to_name) as later,
        named.from_name > named.to_name as is_swapped
    from (
        select
            {{ version_named('from_version') }} as from_name,
            {{ version_named('to_version') }} as to_name
    ) as named

),

sides as (

    select
        'earlier' as side,
        earlier as version_of_side
    from compared

    union all

    select
        'later' as side,
        later as version_of_side
    from compared

),

days_of_versions as (

    select
        versions.version as version_of_day,
        unnest(versions.new_days) as new_day
    from {{ ledger_table('versions') }} as versions

),

-- Per side, the days of which it had no message, because a version after it was the first to reach them.
new_days as (

    select
        sides.side,
        days.new_day,
        min(days.version_of_day) as version_of_day
    from sides
    inner join days_of_versions as days on sides.version_of_side < days.version_of_day
    group by sides.side, days.new_day

),

changes as (

    select
        restatements.*,
        restatements.to_version as version_of_change
    from {{ ledger_table('restatements') }} as restatements
    where restatements.to_version > (select compared.earlier from compared)

),

-- Per side, each message and touch that changed since, as it was before its first change.
changed_rows as (

    select * from (
        select
            sides.side,
            changes.*,
            row_number() over (
                partition by sides.side, changes.entity, changes.message_id, changes.order_id
                order by changes.version_of_change
            ) as place
        from sides
        inner join changes on sides.version_of_side < changes.version_of_change
    ) as changes_of_sides
    where place = 1

),

-- Only these may count differently. Of the customers all messages are looked at, and all touches.
affected_customers as (

    select customer_id_before as customer_id from changes
    where customer_id_before is not null

    union

    select customer_id_after as customer_id from changes
    where customer_id_after is not null

    union

    select messages.customer_id from {{ ref('fct_messages') }} as messages
    where
        {{ matches_filter() }}
        and messages.message_date in (select new_days.new_day from new_days)

),

current_rows as (

    select
        'message' as entity,
        messages.message_id,
        cast(null as varchar) as order_id,
        messages.customer_id,
        messages.message_date,
        messages.queue_id,
        messages.user_id,
        messages.status,
        messages.occurred_at,
        messages.window_closes_at > info.as_of_ends_at as is_in_open_window,
        cast(null as decimal(18, 2)) as order_value,
        cast(null as decimal(18, 2)) as refunded_value,
        cast(null as boolean) as is_last_touch
    from {{ ref('fct_messages') }} as messages
    cross join {{ ref('report_info') }} as info
    where
        {{ matches_filter() }}
        and messages.customer_id in (select affected_customers.customer_id from affected_customers)

    union all

    select
        'touch' as entity,
        touches.message_id,
        touches.order_id,
        touches.customer_id,
        touches.message_date,
        touches.queue_id,
        touches.user_id,
        'sent' as status,
        touches.sent_at as occurred_at,
        cast(null as boolean) as is_in_open_window,
        touches.order_value,
        touches.refunded_value,
        touches.is_last_touch
    from {{ ref('fct_message_orders') }} as touches
    where
        {{ matches_filter() }}
        and touches.customer_id in (select affected_customers.customer_id from affected_customers)

),

-- Days that were new, and rows that changed, since the earlier version: the other rows are the same on both
-- sides.
current_rows_by_change as (

    select
        current_rows.*,
        new_days.new_day is not null or changed_rows.side is not null as may_differ
    from current_rows
    left join new_days on new_days.side = 'earlier' and current_rows.message_date = new_days.new_day
    left join changed_rows
        on
            changed_rows.side = 'earlier'
            and current_rows.entity = changed_rows.entity
            and current_rows.message_id = changed_rows.message_id
            and current_rows.order_id is not distinct from changed_rows.order_id

),

same_rows as (

    select * from current_rows_by_change
    where not may_differ

),

other_rows as (

    select * from current_rows_by_change
    where may_differ

),

rows_before as (

    select
        side,
        version_of_change,
        entity,
        message_id,
        order_id,
        customer_id_before as customer_id,
        message_date_before as message_date,
        queue_id_before as queue_id,
        user_id_before as user_id,
        status_before as status,
        occurred_at_before as occurred_at,
        is_in_open_window_before as is_in_open_window,
        order_value_before as order_value,
        refunded_value_before as refunded_value,
        is_last_touch_before as is_last_touch
    from changed_rows

),

-- Of each side, the messages and touches that may not be the same on the other one.
rows_of_sides as (

    select
        sides.side,
        other_rows.entity,
        other_rows.message_id,
        other_rows.order_id,
        other_rows.customer_id,
        other_rows.message_date,
        other_rows.queue_id,
        other_rows.user_id,
        other_rows.status,
        other_rows.occurred_at,
        other_rows.is_in_open_window,
        other_rows.order_value,
        other_rows.refunded_value,
        other_rows.is_last_touch
    from sides
    -- Not a cross join: DuckDB stores it as a comma, which DuckDB 1.5 takes for a lateral join here.
    inner join other_rows on true
    left join new_days on sides.side = new_days.side and other_rows.message_date = new_days.new_day
    left join changed_rows
        on
            sides.side = changed_rows.side
            and other_rows.entity = changed_rows.entity
            and other_rows.message_id = changed_rows.message_id
            and other_rows.order_id is not distinct from changed_rows.order_id
    where
        new_days.new_day is null
        and changed_rows.side is null

    union all

    select
        rows_before.side,
        rows_before.entity,
        rows_before.message_id,
        rows_before.order_id,
        rows_before.customer_id,
        rows_before.message_date,
        rows_before.queue_id,
        rows_before.user_id,
        rows_before.status,
        rows_before.occurred_at,
        rows_before.is_in_open_window,
        rows_before.order_value,
        rows_before.refunded_value,
        rows_before.is_last_touch
    from rows_before
    left join new_days on rows_before.side = new_days.side and rows_before.message_date = new_days.new_day
    where
        {{ matches_filter() }}
        -- Else it came with its day, not by a change.
        and coalesce(new_days.version_of_day >= rows_before.version_of_change, true)

),

shares_of_rows as (

    {{ figure_shares('rows_of_sides', keep=['side', 'message_id', 'order_id', 'occurred_at']) }}

),

-- The messages and touches that have another share in a figure on the other side: only what they are of can
-- count otherwise.
moves as (

    select
        figure,
        entity_id,
        message_id,
        order_id,
        coalesce(max(case when side = 'later' then occurred_at end), max(occurred_at)) as occurred_at
    from shares_of_rows
    group by figure, entity_id, message_id, order_id
    having
        coalesce(max(case when side = 'earlier' then share end), 0)
        <> coalesce(max(case when side = 'later' then share end), 0)

),

-- A user is active by any message, so those of all customers are counted: from the sums of each day, minus
-- what has changed since.
messages_of_users as (

    select
        sides.side,
        days.user_id,
        days.messages_sent
    from sides
    inner join {{ ref('messages_by_day') }} as days on true
    left join new_days on sides.side = new_days.side and days.message_date = new_days.new_day
    where
        {{ matches_filter() }}
        and new_days.new_day is null

    union all

    select
        changes_of_users.side,
        changes_of_users.user_id,
        changes_of_users.messages_sent
    from (
        select
            sides.side,
            changes.version_of_change,
            changes.message_date_before as message_date,
            changes.queue_id_before as queue_id,
            changes.user_id_before as user_id,
            1 as messages_sent
        from sides
        inner join changes on sides.version_of_side < changes.version_of_change
        where changes.entity = 'message' and changes.status_before = 'sent'

        union all

        select
            sides.side,
            changes.version_of_change,
            changes.message_date_after as message_date,
            changes.queue_id_after as queue_id,
            changes.user_id_after as user_id,
            -1 as messages_sent
        from sides
        inner join changes on sides.version_of_side < changes.version_of_change
        where changes.entity = 'message' and changes.status_after = 'sent'
    ) as changes_of_users
    left join new_days
        on changes_of_users.side = new_days.side and changes_of_users.message_date = new_days.new_day
    where
        {{ matches_filter() }}
        and coalesce(new_days.version_of_day > changes_of_users.version_of_change, true)

),

shares as (

    select
        side,
        figure,
        entity,
        entity_id,
        customer_id,
        share
    from shares_of_rows
    where figure <> 'active_users'

    union all

    -- What a customer or an order also counts by.
    select
        'both' as side,
        figure,
        entity,
        entity_id,
        customer_id,
        share
    from ({{ figure_shares('same_rows', keep=[]) }}) as shares_of_same_rows
    where
        entity in ('customer', 'order')
        and exists (
            select 1 from moves
            where
                moves.figure = shares_of_same_rows.figure
                and moves.entity_id = shares_of_same_rows.entity_id
        )

    union all

    select
        side,
        'active_users' as figure,
        'user' as entity,
        user_id as entity_id,
        cast(null as varchar) as customer_id,
        1 as share
    from messages_of_users
    where user_id <> 'unassigned'
    group by side, user_id
    having sum(messages_sent) > 0

),

shares_of_entities as (

    select
        figure,
        entity,
        entity_id,
        -- Each side knows one.
        coalesce(
            max(case when side = 'later' then customer_id end),
            max(case when side = 'earlier' then customer_id end),
            max(customer_id)
        ) as customer_id,
        coalesce(max(case when side <> 'later' then share end), 0) as share_earlier,
        coalesce(max(case when side <> 'earlier' then share end), 0) as share_later
    from shares
    group by figure, entity, entity_id

),

differences as (

    select * from shares_of_entities
    where share_earlier <> share_later

),

-- When messages that changed since had been sent at the earlier version, if it had them.
instants_before as (

    select * from (
        select
            message_id,
            version_of_change,
            occurred_at_before as occurred_at,
            coalesce(message_date_before, message_date_after) as message_date,
            row_number() over (
                partition by message_id order by version_of_change, order_id nulls first
            ) as place_of_message
        from changed_rows
        where side = 'earlier'
    ) as changed_messages
    where place_of_message = 1

),

earlier_version as (

    select
        versions.as_of_ends_at,
        {{ window_of_settings('versions.settings') }} * interval '1 day' as attribution_window
    from {{ ledger_table('versions') }} as versions
    inner join compared on versions.version = compared.earlier

),

settling_moves as (

    select
        moves.*,
        coalesce(
            case when new_days.new_day is null then instants_before.occurred_at end, moves.occurred_at
        ) as settling_from
    from moves
    left join instants_before on moves.message_id = instants_before.message_id
    left join new_days
        on
            new_days.side = 'earlier'
            and instants_before.message_date = new_days.new_day
            and instants_before.version_of_change > new_days.version_of_day

),

changes_between as (

    select * from changes
    where version_of_change <= (select compared.later from compared)

),

explanations as (

    select
        moves.figure,
        moves.entity_id,
        bool_or(
            moves.settling_from + earlier_version.attribution_window <= earlier_version.as_of_ends_at
        ) as was_settled,
        -- What no change explains came with a new day.
        {{ distinct_elements("coalesce(changes.causes, array['message_new'])") }} as causes,
        {{ distinct_elements('changes.changed_fields') }} as changed_fields,
        {{ distinct_files('changes.files') }} as files
    from settling_moves as moves
    left join changes_between as changes
        on
            moves.message_id = changes.message_id
            and moves.order_id is not distinct from changes.order_id
    cross join earlier_version
    group by moves.figure, moves.entity_id

)

select
    differences.figure,
    differences.entity,
    case when differences.entity = 'message' then differences.entity_id end as message_id,
    case when differences.entity = 'order' then differences.entity_id end as order_id,
    differences.customer_id,
    case when differences.entity = 'user' then differences.entity_id end as user_id,
    case when compared.is_swapped then differences.share_later else differences.share_earlier end as before,
    case when compared.is_swapped then differences.share_earlier else differences.share_later end as after,
    case when compared.is_swapped then -1 else 1 end * (differences.share_later - differences.share_earlier)
        as difference,
    explanations.was_settled,
    explanations.causes,
    explanations.changed_fields,
    explanations.files
from differences
inner join explanations
    on differences.figure = explanations.figure and differences.entity_id = explanations.entity_id
cross join compared
