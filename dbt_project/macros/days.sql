{#- The days a run is about, as date literals. -#}
{% macro first_day() %}date '{{ var("first_day") }}'{% endmacro %}

{% macro last_day() %}date '{{ var("last_day") }}'{% endmacro %}

{#- The first day whose events become tokens; never after the first day whose user-days are built. -#}
{% macro token_first_day() %}date '{{ var("token_first_day") }}'{% endmacro %}

{#- `n` days after a date expression (negative: before). -#}
{% macro days_after(date_expression, n) -%}
    cast({{ date_expression }} + interval '{{ n }}' day as date)
{%- endmacro %}

{#- The first day after the warm-up of novelty. Before it, almost everything is new: "new" says nothing. -#}
{% macro novelty_first_day() -%}
    {{ days_after("date '" ~ var('history_first_day') ~ "'", var('novelty_warm_up_days')) }}
{%- endmacro %}

{#- True where `earlier` lies 1 to `n` days before `later`. -#}
{% macro within_days_before(earlier, later, n) -%}
    {{ earlier }} < {{ later }} and {{ earlier }} >= {{ days_after(later, -n) }}
{%- endmacro %}

{#- True of events from the start of day `first` to the end of day `last`. It filters on the event's time, not on the
    day derived from it: the engine can then skip the files of other days. -#}
{% macro is_on_days(event_at, first, last) -%}
    {{ event_at }} >= {{ first }} and {{ event_at }} < {{ days_after(last, 1) }}
{%- endmacro %}

{#- Labels come late. A day has matured once its labels had `label_delay_days` to become known.
    This is the day `n` days before the newest day that has matured by `today`; 0 is the newest itself. -#}
{% macro matured_days_before(today, n) -%}
    {{ days_after(today, -(n + var('label_delay_days'))) }}
{%- endmacro %}

{#- True of the last `n` days that have matured by `today`, and of the younger days after them. -#}
{% macro is_since_matured(day, today, n) -%}
    {{ day }} > {{ matured_days_before(today, n) }}
{%- endmacro %}

{#- Flags of a day, seen from the end of `today`: has it matured, and how far back does it lie. -#}
{% macro maturity_flags(day, today) -%}
    {{ day }} <= {{ matured_days_before(today, 0) }}
        and {{ is_since_matured(day, today, var('window_days')) }} as is_matured,
        {{ is_since_matured(day, today, 7) }} as is_in_week,
        {{ is_since_matured(day, today, 3) }} as is_in_last_days
{%- endmacro %}
