-- Every event of this run is in exactly one user-day: a join that loses or doubles rows shows here.

with counted as (
    select
        (select coalesce(sum(event_count), 0) from {{ ref('fct_user_days') }}) as in_user_days,
        (select count(*) from {{ ref('int_events') }} where event_day >= {{ first_day() }}) as in_events
)

select *
from counted
where in_user_days != in_events
