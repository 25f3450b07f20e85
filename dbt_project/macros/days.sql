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

{% macro entity_kinds() -%}
    {{ return(['device', 'network', 'payment', 'address', 'counterpart']) }}
{%- endmacro %}

{#- What can be new to a user: the entities and the categories. -#}
{% macro novel_kinds() -%}
    {{ return(entity_kinds() + ['category']) }}
{%- endmacro %}

{#- The column of stg_events that holds a kind. -#}
{% macro kind_column(kind) -%}
    {{ return('category' if kind == 'category' else kind ~ '_id') }}
{%- endmacro %}

{#- How far `x` lies from its usual value, in robust standard deviations of the log; null where unknown.
    A quarter is added to the spread: someone who always does the same is not infinitely surprised by one more. -#}
{% macro own_deviation(x, median_log, spread_log) -%}
    (ln(1 + {{ x }}) - {{ median_log }}) / ({{ spread_log }} / 1.349 + 0.25)
{%- endmacro %}

{#- What an event type means; pipeline/domain.py has the same list. -#}
{% macro all_roles() -%}
    {{ return(['browse', 'search', 'cart', 'purchase', 'login', 'review', 'refund', 'coupon', 'payment_failure',
               'adjustment']) }}
{%- endmacro %}

{#- Whether events with this role occur in the domain at all. -#}
{% macro knows_role(role) -%}
    {{ 'true' if role in var('roles') else 'false' }}
{%- endmacro %}

{#- A column that exists only where there are labels. -#}
{% macro label_column(column) -%}
    {{ column if var('has_labels') else 'null' }}
{%- endmacro %}

{#- Share of that day's users with a smaller value; null where the value is not known. -#}
{% macro percentile_of(column) -%}
    case
        when {{ column }} is not null
            then percent_rank() over (partition by activity.event_day order by {{ column }} nulls first)
    end
{%- endmacro %}

{#- What is compared with the user's own past. -#}
{% macro usual_measures() -%}
    {{ return(['event_count', 'spend_amount', 'max_purchase_amount', 'refund_amount']) }}
{%- endmacro %}
