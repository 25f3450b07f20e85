-- One row per label that had arrived by `as_of`. A label with an end is about all days from its own that began before
-- that: it has a row for each on which its account was active. A label holds until `overruled_at`: the time of the next
-- label about the same event or day, or, for a label of one event, of the next label about the user's whole day.

with arrived as (
    select
        user_id,
        event_id,
        happened_at,
        ends_at,
        known_at,
        is_bad
    from {{ parquet_rows(var('label_files'), lake_label_columns()) }} as lake
    where arrived_at <= timestamp '{{ var("as_of") }}'
),

by_day as (
    select
        user_id,
        event_id,
        cast(happened_at as date) as event_day,
        known_at,
        is_bad
    from arrived
    where ends_at is null
    union all
    select distinct
        arrived.user_id,
        cast(null as varchar) as event_id,
        events.event_day,
        arrived.known_at,
        arrived.is_bad
    from arrived
    inner join {{ ref('stg_events') }} as events
        on
            arrived.user_id = events.user_id
            and cast(arrived.happened_at as date) <= events.event_day
            and arrived.ends_at > events.event_day
)

select
    user_id,
    event_id,
    event_day,
    known_at,
    is_bad,
    case
        when event_id is null then lead(known_at) over same_thing
        else least(lead(known_at) over same_thing, min(known_at) filter (where event_id is null) over from_then_on)
    end as overruled_at
from by_day
window
    same_thing as (
        partition by user_id, coalesce(event_id, ''), event_day
        order by known_at, is_bad
    ),
    from_then_on as (
        partition by user_id, event_day
        order by known_at
        range between current row and unbounded following
    )
