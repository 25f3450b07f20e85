-- One row per counterparty and day of this run: what is usual at this seller, terminal or page.
-- The matured counts are the denominators of the label history: events whose labels had time to become known.

with todays as (
    select distinct
        value as counterparty_id,
        event_day
    from {{ ref('int_entities') }}
    where kind = 'counterparty'
),

compared as (
    select
        todays.counterparty_id,
        todays.event_day,
        past.event_count,
        past.purchase_count,
        past.purchase_amount,
        past.squared_amount_sum,
        past.event_day = todays.event_day as is_today,
        {{ within_days_before('past.event_day', 'todays.event_day', var('window_days')) }} as is_recent,
        {{ maturity_flags('past.event_day', 'todays.event_day') }},
        past.event_day >= history.first_bad_day as is_in_trouble
    from todays
    inner join {{ ref('int_counterparty_days') }} as past
        on
            todays.counterparty_id = past.counterparty_id
            and todays.event_day >= past.event_day
            and {{ matured_days_before('todays.event_day', var('window_days')) }} <= past.event_day
    left join {{ ref('int_label_history') }} as history
        on
            history.kind = 'counterparty'
            and todays.counterparty_id = history.value
            and todays.event_day = history.event_day
)

select
    counterparty_id,
    event_day,
    sum(event_count) filter (where is_today) as event_today_count,
    sum(event_count) filter (where is_recent) / cast({{ var('window_days') }} as double) as usual_event_count,
    {{ mean_over_days('purchase_amount', 'purchase_count', where='is_recent') }} as mean_purchase_amount,
    {{ spread_over_days('purchase_amount', 'squared_amount_sum', 'purchase_count', where='is_recent') }}
        as purchase_amount_spread,
    {{ mean_over_days('purchase_amount', 'purchase_count', where='is_today') }} as mean_purchase_today_amount,
    coalesce(sum(event_count) filter (where is_matured and is_in_last_days), 0) as matured_3d_count,
    coalesce(sum(event_count) filter (where is_matured and is_in_week), 0) as matured_7d_count,
    coalesce(sum(event_count) filter (where is_matured), 0) as matured_28d_count,
    coalesce(sum(event_count) filter (where is_matured and is_in_trouble), 0) as matured_since_first_bad_count
from compared
group by counterparty_id, event_day
