with

newest as (

    select max(versions.version) as newest_version from {{ ledger_table('versions') }} as versions

),

figures_now as (

    select {{ summed_figures() | join(', ') }}
    from {{ ref('overview') }}(date_from, date_to, queues := queues, users := users)

),

moves as (

    select * from {{ ref('why') }}(
        version,
        (select newest.newest_version from newest),
        date_from,
        date_to,
        queues := queues,
        users := users
    )

),

-- Without what moved them since.
sums as (

    select * from figures_now

    union all

    {{ add_moves('moves', times=-1) }}

),

figures as (

    {{ report_figures('sums') }}

)

select
    {{ figure_columns() }}
from figures
