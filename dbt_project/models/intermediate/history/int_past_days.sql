-- One row per user of this run and active day of the window before it: what int_user_usual compares with.
-- Only these users and these columns, so a day costs the last 28 days of the users active in it.

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
