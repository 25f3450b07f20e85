-- One row per user, kind and value first seen within the days of this run: what is new to whom.

with known as (
    select
        user_id,
        kind,
        value,
        first_seen_at
    from {{ ref('int_first_seen') }}
    where arrived_at <= timestamp '{{ var("as_of") }}'
),

candidates as (
    select
        user_id,
        kind,
        value,
        cast(min(first_seen_at) as date) as first_seen_day
    from known
    where
        first_seen_at >= date '{{ var("token_first_day") }}'
        and first_seen_at < {{ days_after(last_day(), 1) }}
    group by user_id, kind, value
)

select candidates.*
from candidates
where not exists (
    select 1
    from known
    where
        known.user_id = candidates.user_id
        and known.kind = candidates.kind
        and known.value = candidates.value
        and known.first_seen_at < date '{{ var("token_first_day") }}'
)
