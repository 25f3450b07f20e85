-- One row per user and day of this run with a counterpart: were its purchases odd for the counterpart, and was the
-- counterpart's own day odd?

select
    events.user_id,
    events.event_day,
    max(
        (events.amount - usual.mean_purchase_amount) / (usual.purchase_amount_spread + 1)
    ) filter (where events.role = 'purchase') as counterpart_amount_deviation,
    max(usual.event_today_count / (usual.usual_event_count + 1)) as counterpart_busy_ratio,
    max(usual.mean_purchase_today_amount / nullif(usual.mean_purchase_amount, 0)) as counterpart_amount_shift_ratio
from {{ ref('int_events') }} as events
inner join {{ ref('int_counterpart_usual') }} as usual
    on
        events.counterpart_id = usual.counterpart_id
        and events.event_day = usual.event_day
where events.event_day >= {{ first_day() }}
group by events.user_id, events.event_day
