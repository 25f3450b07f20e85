-- One row per event: what the sequence model reads. Categorical fields are words, null where not known.
-- The gap to the event before depends on where a window starts, so it is computed where windows are cut.
-- A view, because nobody reads it here: it is written to Parquet once.
{{ config(
    materialized='view',
    post_hook="{{ export_days(this, var('token_first_day'), 'user_id, event_at, event_id') }}"
) }}

select
    user_id,
    event_id,
    event_at,
    event_day,
    event_type,
    category,
    channel,
    cast(local_hour as varchar) as local_hour,
    cast(local_weekday as varchar) as weekday,
    {% for kind in novel_kinds() -%}
    case is_new_{{ kind }} when true then 'yes' when false then 'no' end as is_new_{{ kind }},
    {% endfor -%}
    cast(amount as double) as amount,
    cast(quantity as double) as quantity
from {{ ref('int_events') }}
