-- One row per counterparty of this run and day, as far back as the label history looks: what it took in.

select
    counterparty_id,
    event_day,
    count(*) as event_count,
    count(amount) filter (where role = 'purchase') as purchase_count,
    coalesce(sum(amount) filter (where role = 'purchase'), 0) as purchase_amount,
    coalesce(sum(amount * amount) filter (where role = 'purchase'), 0) as squared_amount_sum
from {{ ref('stg_events') }}
where
    {{ is_on_days('event_at', matured_days_before(first_day(), var('window_days')), last_day()) }}
    and counterparty_id in (
        select entities.value
        from {{ ref('int_entities') }} as entities
        where entities.kind = 'counterparty'
    )
group by counterparty_id, event_day
