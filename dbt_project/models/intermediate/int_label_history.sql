-- One row per kind, entity and day of this run with any known bad event: how many, by what was known at the end
-- of that day. Events too young to have been reported fall into neither numerator nor denominator.

with todays as (
    select distinct
        kind,
        value,
        event_day
    from {{ ref('int_entities') }}
)

select
    todays.kind,
    todays.value,
    todays.event_day,
    count(distinct bad.event_id) filter (
        where bad.event_day > {{ days_after('todays.event_day', -(7 + var('label_delay_days'))) }}
    ) as bad_7d_count,
    count(distinct bad.event_id) as bad_28d_count
from todays
inner join {{ ref('int_bad_events') }} as bad
    on
        todays.kind = bad.kind
        and todays.value = bad.value
        and bad.event_day <= todays.event_day
        and bad.event_day > {{ days_after('todays.event_day', -(var('window_days') + var('label_delay_days'))) }}
        and bad.known_at < {{ days_after('todays.event_day', 1) }}
        and (bad.overruled_at is null or bad.overruled_at >= {{ days_after('todays.event_day', 1) }})
group by todays.kind, todays.value, todays.event_day
