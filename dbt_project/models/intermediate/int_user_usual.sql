-- One row per user and day of this run that has any active day in the 28 days before it: what is usual for
-- this user. Medians and absolute deviations of logs: one odd day in the past does not move them.

with compared as (
    select
        today.user_id,
        today.event_day,
        past.event_day as past_day,
        past.event_count,
        past.spend_amount,
        past.max_purchase_amount,
        past.refund_amount,
        past.purchase_count,
        past.squared_amount_sum,
        past.event_day >= {{ days_after('today.event_day', -7) }} as is_last_week
    from {{ ref('int_user_day_activity') }} as today
    inner join {{ ref('int_past_days') }} as past
        on
            today.user_id = past.user_id
            and {{ within_days_before('past.event_day', 'today.event_day', var('window_days')) }}
)

select
    user_id,
    event_day,
    count(*) as active_day_28d_count,
    count(*) filter (where is_last_week) as active_day_7d_count,
    sum(event_count) as event_28d_count,
    coalesce(sum(event_count) filter (where is_last_week), 0) as event_7d_count,
    max(past_day) as last_active_day,
    -- medians as they are, for people
    median(event_count) as usual_event_count,
    median(spend_amount) as usual_spend_amount,
    median(max_purchase_amount) as usual_max_purchase_amount,
    -- and as logs, for comparing
    {% for measure in ['event_count', 'spend_amount', 'max_purchase_amount', 'refund_amount'] -%}
    median(ln(1 + {{ measure }})) as {{ measure }}_median_log,
    {{ median_absolute_deviation('ln(1 + ' ~ measure ~ ')') }} as {{ measure }}_mad_log,
    {% endfor -%}
    -- single purchases
    sum(purchase_count) as purchase_28d_count,
    max(max_purchase_amount) as highest_purchase_amount,
    sum(spend_amount) / nullif(sum(purchase_count), 0) as mean_purchase_amount,
    sum(spend_amount) filter (where is_last_week)
    / nullif(sum(purchase_count) filter (where is_last_week), 0) as mean_purchase_7d_amount,
    sqrt(greatest(
        0,
        sum(squared_amount_sum) / nullif(sum(purchase_count), 0)
        - power(sum(spend_amount) / nullif(sum(purchase_count), 0), 2)
    )) as purchase_amount_spread
from compared
group by user_id, event_day
