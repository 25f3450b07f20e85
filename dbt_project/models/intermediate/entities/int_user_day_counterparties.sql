-- One row per user and day of this run with a counterparty: were its purchases odd for the counterparty, and was the
-- counterparty's own day odd?

select
    events.user_id,
    events.event_day,
    max(
        (events.amount - usual.mean_purchase_amount) / (usual.purchase_amount_spread + 1)
    ) filter (where events.role = 'purchase') as counterparty_amount_deviation,
    max(usual.event_today_count / (usual.usual_event_count + 1)) as counterparty_busy_ratio,
    max(usual.mean_purchase_today_amount / nullif(usual.mean_purchase_amount, 0)) as counterparty_amount_shift_ratio
from {{ ref('int_events') }} as events
inner join {{ ref('int_counterparty_usual') }} as usual
    on
        events.counterparty_id = usual.counterparty_id
        and events.event_day = usual.event_day
where events.event_day >= {{ first_day() }}
group by events.user_id, events.event_day
