-- One row per user and day, for the users of this run and the days that "usual" looks back on.
-- Only what the comparison needs: the cost of a day is the last 28 days of those active in it.

select
    user_id,
    event_day,
    count(*) as event_count,
    {{ amount_of('purchase') }} as spend_amount,
    max(amount) filter (where role = 'purchase') as max_purchase_amount,
    {{ amount_of('refund') }} as refund_amount,
    count(amount) filter (where role = 'purchase') as priced_purchase_count,
    sum(amount * amount) filter (where role = 'purchase') as squared_amount_sum
from {{ ref('stg_events') }}
where
    {{ is_on_days('event_at', days_after(first_day(), -var('window_days')), days_after(last_day(), -1)) }}
    and user_id in (select activity.user_id from {{ ref('int_user_day_activity') }} as activity)
group by user_id, event_day
