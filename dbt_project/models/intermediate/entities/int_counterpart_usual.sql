-- One row per counterpart and day of this run: what is usual at this seller, terminal or page.

with todays as (
    select distinct
        value as counterpart_id,
        event_day
    from {{ ref('int_entities') }}
    where kind = 'counterpart'
),

compared as (
    select
        todays.counterpart_id,
        todays.event_day,
        past.event_count,
        past.purchase_count,
        past.purchase_amount,
        past.squared_amount_sum,
        past.event_day = todays.event_day as is_today,
        {{ within_days_before('past.event_day', 'todays.event_day', var('window_days')) }} as is_recent,
        past.event_day <= {{ days_after('todays.event_day', -var('label_delay_days')) }}
        and past.event_day
        > {{ days_after('todays.event_day', -(var('window_days') + var('label_delay_days'))) }} as is_matured,
        past.event_day > {{ days_after('todays.event_day', -(7 + var('label_delay_days'))) }} as is_in_week,
        past.event_day > {{ days_after('todays.event_day', -(3 + var('label_delay_days'))) }} as is_in_last_days,
        past.event_day >= history.first_bad_day as is_in_trouble
    from todays
    inner join {{ ref('int_counterpart_days') }} as past
        on
            todays.counterpart_id = past.counterpart_id
            and todays.event_day >= past.event_day
            and {{ days_after('todays.event_day', -(var('window_days') + var('label_delay_days'))) }} <= past.event_day
    left join {{ ref('int_label_history') }} as history
        on
            history.kind = 'counterpart'
            and todays.counterpart_id = history.value
            and todays.event_day = history.event_day
)

select
    counterpart_id,
    event_day,
    sum(event_count) filter (where is_today) as event_today_count,
    sum(event_count) filter (where is_recent) / cast({{ var('window_days') }} as double) as usual_event_count,
    sum(purchase_amount) filter (where is_recent)
    / nullif(sum(purchase_count) filter (where is_recent), 0) as mean_purchase_amount,
    sqrt(greatest(
        0,
        sum(squared_amount_sum) filter (where is_recent) / nullif(sum(purchase_count) filter (where is_recent), 0)
        - power(
            sum(purchase_amount) filter (where is_recent) / nullif(sum(purchase_count) filter (where is_recent), 0), 2
        )
    )) as purchase_amount_spread,
    sum(purchase_amount) filter (where is_today)
    / nullif(sum(purchase_count) filter (where is_today), 0) as mean_purchase_today_amount,
    -- how many events had time to be reported: the denominators of the label history
    coalesce(sum(event_count) filter (where is_matured and is_in_last_days), 0) as matured_3d_count,
    coalesce(sum(event_count) filter (where is_matured and is_in_week), 0) as matured_7d_count,
    coalesce(sum(event_count) filter (where is_matured), 0) as matured_28d_count,
    coalesce(sum(event_count) filter (where is_matured and is_in_trouble), 0) as matured_since_first_bad_count
from compared
group by counterpart_id, event_day
