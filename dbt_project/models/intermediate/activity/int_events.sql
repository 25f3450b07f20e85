-- One row per event of the days this run builds: its hour and weekday, and what is new about it.
-- New means that this user was first seen with it on this day. All events of that day with a new device are marked.
-- In the warm-up of novelty (macros/days.sql) nothing is known to be new or not.

select
    events.*,
    {% for kind in novel_kinds() -%}
    case
        when events.{{ kind_column(kind) }} is not null and events.event_day >= {{ novelty_first_day() }}
            then coalesce({{ kind }}_pairs.first_seen_day = events.event_day, false)
    end as is_new_{{ kind }},
    {% endfor -%}
    {{ local_hour('events.event_at') }} as local_hour,
    {{ local_weekday('events.event_at') }} as local_weekday
from {{ ref('stg_events') }} as events
{% for kind in novel_kinds() -%}
left join {{ ref('int_first_days') }} as {{ kind }}_pairs
    on
        {{ kind }}_pairs.kind = '{{ kind }}'
        and {{ kind }}_pairs.first_seen_day >= {{ token_first_day() }}
        and {{ pair_key(kind, 'events') }} = {{ kind }}_pairs.pair_key
{% endfor -%}
where {{ is_on_days('events.event_at', token_first_day(), last_day()) }}
