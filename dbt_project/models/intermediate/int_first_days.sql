-- One row per user of this run: the first day we have seen it.

select
    user_id,
    cast(min(first_seen_at) as date) as first_seen_day
from {{ ref('int_first_seen') }}
where
    kind = 'user'
    and arrived_at <= timestamp '{{ var("as_of") }}'
    and user_id in (select activity.user_id from {{ ref('int_user_day_activity') }} as activity)
group by user_id
