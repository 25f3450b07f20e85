-- One row per user and day of this run with any active day in the 28 before: what is usual for this user.
-- Usual values are quartiles of logs, which one odd day in the past does not move.

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

-- all quartiles in one pass: the middle one is the usual value, the outer two give its spread
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
        {{ mean_over_days('spend_amount', 'priced_purchase_count') }} as mean_purchase_amount,
        {{ mean_over_days('spend_amount', 'priced_purchase_count', where='is_last_week') }} as mean_purchase_7d_amount,
        max(max_purchase_amount) filter (where is_last_fortnight) as highest_purchase_14d_amount,
        {{ mean_over_days('spend_amount', 'priced_purchase_count', where='not is_last_fortnight') }}
            as mean_purchase_before_amount,
        {{ spread_over_days('spend_amount', 'squared_amount_sum', 'priced_purchase_count') }} as purchase_amount_spread
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
