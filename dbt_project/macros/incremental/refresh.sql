{#- Whether a refresh has planned which models and tests are computed over everything. When dbt is called by hand there is
    no plan. Read while a model runs, never while it is parsed. -#}
{% macro has_plan() -%}
    {{ return(execute and env_var('CONTACT_REBUILD', '*') != '*') }}
{%- endmacro %}

{#- Whether a model or test has to be computed over everything; without a plan, each one. -#}
{% macro is_full_refresh(name) -%}
    {{ return(not has_plan() or name in env_var('CONTACT_REBUILD').split(',')) }}
{%- endmacro %}

{#- The next refresh rebuilds tables that were made by hand, since nothing says what they were made of. -#}
{% macro forget_model_states() -%}
    {% if execute and flags.WHICH in ('build', 'run', 'seed') and not has_plan() %}
    {{ adapter.dispatch('forget_model_states')() }}
    {% endif %}
{%- endmacro %}

{% macro default__forget_model_states() -%}
    drop table if exists raw.model_states
{%- endmacro %}

{#- A dbt process can outlive the refresh that started it. If a newer refresh has begun, it stops, so that two never write
    at once. -#}
{% macro stop_when_newer_refresh_began() -%}
    {%- set number = env_var('CONTACT_REFRESH_NUMBER', '') if execute else '' -%}
    {%- if number -%}
        {%- set latest = run_query('select max(refresh_number) from raw.refreshes').columns[0].values()[0] -%}
        {%- if latest > number | int -%}
            {{ exceptions.raise_compiler_error(
                'Refresh ' ~ number ~ ' was killed and refresh ' ~ latest ~ ' has begun, which does its work.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro refresh_number() -%}
    {{ return(env_var('CONTACT_REFRESH_NUMBER') | int) }}
{%- endmacro %}

{#- The high-water mark: the number of the last file that the last finished refresh has loaded. Not read while dbt
    parses, or it would parse the models again whenever that number changes. -#}
{% macro high_water_mark() -%}
    {{ return(env_var('CONTACT_HIGH_WATER_MARK', '0') | int if execute else 0) }}
{%- endmacro %}
