with

figures_after as (

    select {{ summed_figures() | join(', ') }}
    from {{ ref('figures_as_of') }}(to_version, date_from, date_to, queues := queues, users := users)

),

moves as (

    select * from {{ ref('why') }}(
        from_version, to_version, date_from, date_to, queues := queues, users := users
    )

),

moved as (

    {{ add_moves('moves', times=-1) }}

),

grown as (

    {{ add_moves('moves', times=-1, condition='not was_settled') }}

),

-- From before to what is restated alone and from there, by growth, to after: so that also ratios, which do
-- not add up, have a part of each.
sums as (

    select
        'after' as stage,
        figures_after.*
    from figures_after

    union all

    select
        'restated' as stage,
        figures_after.*
    from figures_after

    union all

    select
        'before' as stage,
        figures_after.*
    from figures_after

    union all

    select
        'before' as stage,
        moved.*
    from moved

    union all

    select
        'restated' as stage,
        grown.*
    from grown

),

figures as (

    {{ report_figures('sums', by=['stage']) }}

),

stages_of_figures as (

    {%- for figure in figure_columns(none).split(', ') %}

    select
        {{ loop.index }} as figure_number,
        '{{ figure }}' as figure,
        max(case when stage = 'before' then cast({{ figure }} as decimal(38, 12)) end) as figure_before,
        max(case when stage = 'restated' then cast({{ figure }} as decimal(38, 12)) end) as figure_restated,
        max(case when stage = 'after' then cast({{ figure }} as decimal(38, 12)) end) as figure_after
    from figures
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    figure,
    figure_before as before,
    figure_after as after,
    figure_after - figure_before as difference,
    figure_after - figure_restated as growth,
    figure_restated - figure_before as restatement
from stages_of_figures
order by figure_number
