{#- The roles an event type can have; pipeline/domain.py has the same list. -#}
{% macro all_roles() -%}
    {{ return(['browse', 'search', 'cart', 'purchase', 'login', 'review', 'refund', 'coupon', 'payment_failure',
               'adjustment']) }}
{%- endmacro %}

{#- Number of events with a role, of events with the column `role`. Null, not 0, in a domain without such events. -#}
{% macro count_of(role) -%}
    {%- if role in var('roles') -%}
    count(*) filter (where role = '{{ role }}')
    {%- else -%}
    cast(null as bigint)
    {%- endif -%}
{%- endmacro %}

{#- Sum of the amounts of the events with a role, of events with the columns `role` and `amount`. 0 without such
    events that day. Null where none of them has an amount, and in a domain without such events. Amounts are decimals,
    so the sum is exact. -#}
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

{#- Sum of a column over several days, or over those `where` a flag is true. -#}
{% macro sum_over_days(column, where=none) -%}
    sum({{ column }}){{ ' filter (where ' ~ where ~ ')' if where }}
{%- endmacro %}

{#- Mean amount of the events of several days, from each day's sum of amounts and count of events. Null without any. -#}
{% macro mean_over_days(amount, event_count, where=none) -%}
    {{ sum_over_days(amount, where) }} / nullif({{ sum_over_days(event_count, where) }}, 0)
{%- endmacro %}

{#- Standard deviation of the same amounts, from each day's sum of squared amounts as well. Rounding can make the
    variance negative: then it is 0. -#}
{% macro spread_over_days(amount, squared_amount, event_count, where=none) -%}
    sqrt(greatest(
        0,
        {{ mean_over_days(squared_amount, event_count, where) }}
        - power({{ mean_over_days(amount, event_count, where) }}, 2)
    ))
{%- endmacro %}

{#- The measures that are compared with the user's own past. -#}
{% macro usual_measures() -%}
    {{ return(['event_count', 'spend_amount', 'max_purchase_amount', 'refund_amount']) }}
{%- endmacro %}

{#- The measures that are compared with all users of the day. -#}
{% macro ranked_measures() -%}
    {{ return(['event_count', 'spend_amount', 'max_purchase_amount', 'refund_amount', 'max_hour_event_count',
               'new_counterparty_count']) }}
{%- endmacro %}

{#- Measures are compared on a log scale that also takes negative amounts. -#}
{% macro to_log(x) -%}
    sign({{ x }}) * ln(1 + abs({{ x }}))
{%- endmacro %}

{% macro from_log(x) -%}
    sign({{ x }}) * (exp(abs({{ x }})) - 1)
{%- endmacro %}

{#- Distance of a measure of `activity` from its value in `usual` (see int_user_usual), in robust standard deviations
    of its log. Null with fewer than three days to compare with. A quarter is added to the spread: a user who always
    does the same is not infinitely surprising when it does one more. -#}
{% macro own_deviation(measure, activity, usual) -%}
    case
            when {{ usual }}.{{ measure }}_day_count >= 3
                then
                    ({{ to_log(activity ~ '.' ~ measure) }} - {{ usual }}.{{ measure }}_median_log)
                    / ({{ usual }}.{{ measure }}_spread_log / 1.349 + 0.25)
        end
{%- endmacro %}

{#- Share of the other rows of the same day in `relation` with a smaller value or none. Null where the value is not
    known. -#}
{% macro percentile_of(measure, relation) -%}
    case
            when {{ relation }}.{{ measure }} is not null
                then percent_rank() over (
                        partition by {{ relation }}.event_day
                        order by {{ relation }}.{{ measure }} nulls first
                    )
        end
{%- endmacro %}

{#- A column in a domain with labels, null in one without. -#}
{% macro label_column(column) -%}
    {{ column if var('has_labels') else 'cast(null as double)' }}
{%- endmacro %}
