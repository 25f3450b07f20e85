-- Every event of this run is in exactly one user-day: a join that loses or doubles rows shows here.

with user_days as (
    select coalesce(sum(event_count), 0) as event_count
    from {{ ref('fct_user_days') }}
),

events as (
    select count(*) as event_count
    from {{ ref('int_events') }}
    where event_day >= {{ first_day() }}
)

select
    user_days.event_count as in_user_days,
    events.event_count as in_events
from user_days
inner join events
    on user_days.event_count != events.event_count
