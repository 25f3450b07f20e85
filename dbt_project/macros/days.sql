{#- The days a run is about, as date literals. -#}
{% macro first_day() %}date '{{ var("first_day") }}'{% endmacro %}

{% macro last_day() %}date '{{ var("last_day") }}'{% endmacro %}

{#- `n` days after a date expression (negative: before). -#}
{% macro days_after(date_expression, n) -%}
    cast({{ date_expression }} + interval '{{ n }}' day as date)
{%- endmacro %}

{#- True where `earlier` lies 1 to `n` days before `later`. -#}
{% macro within_days_before(earlier, later, n) -%}
    {{ earlier }} < {{ later }} and {{ earlier }} >= {{ days_after(later, -n) }}
{%- endmacro %}

{#- True of events from the day `first` to the end of the day `last`. Asked of the time, which files are sorted out by,
    not of the day derived from it: so files of other days are left unread. -#}
{% macro is_on_days(event_at, first, last) -%}
    {{ event_at }} >= {{ first }} and {{ event_at }} < {{ days_after(last, 1) }}
{%- endmacro %}

{#- The first day whose events this run looks at one by one. -#}
{% macro token_first_day() %}date '{{ var("token_first_day") }}'{% endmacro %}
