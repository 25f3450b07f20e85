-- One row per label that had arrived by `as_of`. It holds until `overruled_at`: the time of the next label about the
-- same event or day, or, for a label of one event, of the next label about the user's whole day.

select
    user_id,
    event_id,
    cast(happened_at as date) as event_day,
    known_at,
    is_bad,
    case
        when event_id is null then lead(known_at) over same_thing
        else least(lead(known_at) over same_thing, min(known_at) filter (where event_id is null) over from_then_on)
    end as overruled_at
from {{ parquet_rows(var('label_files'), lake_label_columns()) }} as lake
where arrived_at <= timestamp '{{ var("as_of") }}'
window
    same_thing as (
        partition by user_id, coalesce(event_id, ''), cast(happened_at as date)
        order by known_at, is_bad
    ),
    from_then_on as (
        partition by user_id, cast(happened_at as date)
        order by known_at
        range between current row and unbounded following
    )
