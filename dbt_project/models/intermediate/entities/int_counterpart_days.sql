-- One row per counterpart of this run and day, as far back as the label history looks: what it took in.

select
    counterpart_id,
    event_day,
    count(*) as event_count,
    count(amount) filter (where role = 'purchase') as purchase_count,
    coalesce(sum(amount) filter (where role = 'purchase'), 0) as purchase_amount,
    coalesce(sum(amount * amount) filter (where role = 'purchase'), 0) as squared_amount_sum
from {{ ref('stg_events') }}
where
    {{ is_on_days('event_at', matured_days_before(first_day(), var('window_days')), last_day()) }}
    and counterpart_id in (
        select entities.value
        from {{ ref('int_entities') }} as entities
        where entities.kind = 'counterpart'
    )
group by counterpart_id, event_day
