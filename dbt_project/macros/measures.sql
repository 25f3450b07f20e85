{#- What an event type means; pipeline/domain.py has the same list. -#}
{% macro all_roles() -%}
    {{ return(['browse', 'search', 'cart', 'purchase', 'login', 'review', 'refund', 'coupon', 'payment_failure',
               'adjustment']) }}
{%- endmacro %}

{#- How many events had a role. Null, not 0, in a domain that has no such events. -#}
{% macro count_of(role) -%}
    {%- if role in var('roles') -%}
    count(*) filter (where role = '{{ role }}')
    {%- else -%}
    cast(null as bigint)
    {%- endif -%}
{%- endmacro %}

{#- What the events with a role add up to: 0 if there were none, null if none of them says how much, and null in a
    domain that has no such events. Exact, because amounts are decimals. -#}
{% macro amount_of(role) -%}
    {%- if role in var('roles') -%}
    case
            when count(*) filter (where role = '{{ role }}') = 0 then 0
            else sum(amount) filter (where role = '{{ role }}')
        end
    {%- else -%}
    cast(null as decimal(18, 4))
    {%- endif -%}
{%- endmacro %}

{#- What is compared with the user's own past. -#}
{% macro usual_measures() -%}
    {{ return(['event_count', 'spend_amount', 'max_purchase_amount', 'refund_amount']) }}
{%- endmacro %}

{#- Measures are compared on a log scale that has room for negative amounts too. -#}
{% macro to_log(x) -%}
    sign({{ x }}) * ln(1 + abs({{ x }}))
{%- endmacro %}

{% macro from_log(x) -%}
    sign({{ x }}) * (exp(abs({{ x }})) - 1)
{%- endmacro %}

{#- How far a measure lies from its usual value, in robust standard deviations of its log. Null with fewer than three
    days to compare with. A quarter is added to the spread: someone who always does the same is not infinitely
    surprised by one more. -#}
{% macro own_deviation(measure) -%}
    case
            when usual.{{ measure }}_day_count >= 3
                then
                    ({{ to_log('activity.' ~ measure) }} - usual.{{ measure }}_median_log)
                    / (usual.{{ measure }}_spread_log / 1.349 + 0.25)
        end
{%- endmacro %}

{#- Share of that day's other users with a smaller value, or none; null where the value is not known. -#}
{% macro percentile_of(column) -%}
    case
            when {{ column }} is not null
                then percent_rank() over (partition by activity.event_day order by {{ column }} nulls first)
        end
{%- endmacro %}

{#- A column that exists only where there are labels. -#}
{% macro label_column(column) -%}
    {{ column if var('has_labels') else 'cast(null as double)' }}
{%- endmacro %}
