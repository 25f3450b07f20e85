-- One row per kind, entity and day of this run with any known bad event: how many were known at the end of that day.
-- A known event counts however early its label came. The matured counts leave out the days whose labels may still
-- come, as int_counterparty_usual does: numerator and denominator of a share cover the same days.

with todays as (
    select distinct
        kind,
        value,
        event_day
    from {{ ref('int_entities') }}
),

known as (
    select
        todays.kind,
        todays.value,
        todays.event_day,
        bad.event_day as bad_day,
        -- an event_id is unique within its day
        bad.event_day || '|' || bad.event_id as bad_event,
        {{ maturity_flags('bad.event_day', 'todays.event_day') }}
    from todays
    inner join {{ ref('int_bad_events') }} as bad
        on
            todays.kind = bad.kind
            and todays.value = bad.value
            and todays.event_day >= bad.event_day
            and {{ is_since_matured('bad.event_day', 'todays.event_day', var('window_days')) }}
            and bad.known_at < {{ days_after('todays.event_day', 1) }}
            and (bad.overruled_at is null or bad.overruled_at >= {{ days_after('todays.event_day', 1) }})
)

select
    kind,
    value,
    event_day,
    count(distinct bad_event) filter (where is_in_week) as bad_7d_count,
    count(distinct bad_event) as bad_28d_count,
    min(bad_day) as first_bad_day,
    max(bad_day) as last_bad_day,
    count(distinct bad_event) filter (where is_matured and is_in_last_days) as matured_bad_3d_count,
    count(distinct bad_event) filter (where is_matured and is_in_week) as matured_bad_7d_count,
    count(distinct bad_event) filter (where is_matured) as matured_bad_28d_count
from known
group by kind, value, event_day
