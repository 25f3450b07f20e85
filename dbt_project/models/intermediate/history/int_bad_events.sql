-- One row per bad label, event it is about, kind and entity of that event. A label without an event is about all of
-- the user's events of that day.

with bad as (
    select
        labels.known_at,
        labels.overruled_at,
        events.*
    from {{ ref('stg_labels') }} as labels
    inner join {{ ref('stg_events') }} as events
        on
            labels.user_id = events.user_id
            and labels.event_day = events.event_day
            and (labels.event_id is null or labels.event_id = events.event_id)
    where
        labels.is_bad
        and labels.known_at < {{ days_after(last_day(), 1) }}
)

{% for kind in entity_kinds() %}
select
    '{{ kind }}' as kind,
    {{ kind }}_id as value,
    user_id,
    event_day,
    event_id,
    known_at,
    overruled_at
from bad
where {{ kind }}_id is not null
{{ 'union all' if not loop.last }}
{% endfor %}
