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
),

-- found by joining, not by "not exists": that would hash all of the memory to ask about one day
seen_before as (
    select distinct
        known.user_id,
        known.kind,
        known.value
    from known
    inner join candidates
        on
            known.user_id = candidates.user_id
            and known.kind = candidates.kind
            and known.value = candidates.value
    where known.first_seen_at < date '{{ var("token_first_day") }}'
)

select candidates.*
from candidates
left join seen_before
    on
        candidates.user_id = seen_before.user_id
        and candidates.kind = seen_before.kind
        and candidates.value = seen_before.value
where seen_before.user_id is null
