{#- The settings of a hub as dbt sees them: the same variables and defaults as orchestration/settings.py,
    so that `dbt build` by hand does what the scheduled refresh does. -#}

{% macro reporting_timezone() -%}
    {{ return(setting('CONTACT_TIMEZONE') or 'UTC') }}
{%- endmacro %}

{% macro reporting_currency() -%}
    {{ return(setting('CONTACT_CURRENCY') or 'USD') }}
{%- endmacro %}

{#- The day on which the refresh began, in the reporting zone. -#}
{% macro today() -%}
    {{ return(run_started_at.astimezone(modules.pytz.timezone(reporting_timezone())).date()) }}
{%- endmacro %}

{% macro as_of_day() -%}
    {{ return(setting('CONTACT_AS_OF') or (today() - modules.datetime.timedelta(days=1)).isoformat()) }}
{%- endmacro %}

{#- A setting. Not read while dbt parses, or it would parse the models again for each hub and each as-of day. -#}
{% macro setting(variable) -%}
    {{ return(env_var(variable, '') if execute else '') }}
{%- endmacro %}
