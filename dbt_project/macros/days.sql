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
