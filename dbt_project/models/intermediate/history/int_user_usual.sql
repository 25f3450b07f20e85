-- One row per user and day of this run that has any active day in the 28 days before it: what is usual for
-- this user. Quartiles of logs: one odd day in the past does not move them.

with compared as (
    select
        today.user_id,
        today.event_day,
        past.event_day as past_day,
        past.event_count,
        past.spend_amount,
        past.max_purchase_amount,
        past.refund_amount,
        past.priced_purchase_count,
        past.squared_amount_sum,
        past.event_day >= {{ days_after('today.event_day', -7) }} as is_last_week,
        past.event_day >= {{ days_after('today.event_day', -14) }} as is_last_fortnight
    from {{ ref('int_user_day_activity') }} as today
    inner join {{ ref('int_past_days') }} as past
        on
            today.user_id = past.user_id
            and {{ within_days_before('past.event_day', 'today.event_day', var('window_days')) }}
),

-- three quartiles in one pass: the middle is the usual value, the outer two say how much it varies
summarised as (
    select
        user_id,
        event_day,
        count(*) as active_day_28d_count,
        count(*) filter (where is_last_week) as active_day_7d_count,
        sum(event_count) as event_28d_count,
        coalesce(sum(event_count) filter (where is_last_week), 0) as event_7d_count,
        max(past_day) as last_active_day,
        {% for measure in usual_measures() -%}
        count({{ measure }}) as {{ measure }}_day_count,
        {{ quartiles(to_log(measure)) }} as {{ measure }}_quartiles,
        {% endfor -%}
        -- single purchases
        sum(priced_purchase_count) as priced_purchase_28d_count,
        max(max_purchase_amount) as highest_purchase_amount,
        sum(spend_amount) / nullif(sum(priced_purchase_count), 0) as mean_purchase_amount,
        sum(spend_amount) filter (where is_last_week)
        / nullif(sum(priced_purchase_count) filter (where is_last_week), 0) as mean_purchase_7d_amount,
        max(max_purchase_amount) filter (where is_last_fortnight) as highest_purchase_14d_amount,
        sum(spend_amount) filter (where not is_last_fortnight)
        / nullif(sum(priced_purchase_count) filter (where not is_last_fortnight), 0) as mean_purchase_before_amount,
        sqrt(greatest(
            0,
            sum(squared_amount_sum) / nullif(sum(priced_purchase_count), 0)
            - power(sum(spend_amount) / nullif(sum(priced_purchase_count), 0), 2)
        )) as purchase_amount_spread
    from compared
    group by user_id, event_day
)

select
    user_id,
    event_day,
    active_day_28d_count,
    active_day_7d_count,
    event_28d_count,
    event_7d_count,
    last_active_day,
    {% for measure in usual_measures() -%}
    {{ measure }}_day_count,
    {{ quartile(measure ~ '_quartiles', 2) }} as {{ measure }}_median_log,
    {{ quartile(measure ~ '_quartiles', 3) }} - {{ quartile(measure ~ '_quartiles', 1) }} as {{ measure }}_spread_log,
    {{ from_log(quartile(measure ~ '_quartiles', 2)) }} as usual_{{ measure }},
    {% endfor -%}
    priced_purchase_28d_count,
    highest_purchase_amount,
    mean_purchase_amount,
    mean_purchase_7d_amount,
    highest_purchase_14d_amount,
    mean_purchase_before_amount,
    purchase_amount_spread
from summarised
