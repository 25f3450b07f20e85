-- One row per label that had arrived by `as_of`. `overruled_at`: when a later label of the same thing said
-- otherwise; until then this one holds.

select
    user_id,
    event_id,
    cast(happened_at as date) as event_day,
    known_at,
    is_bad,
    lead(known_at) over same_thing as overruled_at
from {{ parquet_rows(var('label_files'), lake_label_columns()) }} as lake
where arrived_at <= timestamp '{{ var("as_of") }}'
window same_thing as (
    partition by user_id, coalesce(event_id, ''), cast(happened_at as date)
    order by known_at, is_bad
)
