-- One row per user, day of this run, kind and entity that the user touched that day.

{% for kind in entity_kinds() %}
select distinct
    user_id,
    event_day,
    '{{ kind }}' as kind,
    {{ kind }}_id as value
from {{ ref('int_events') }}
where
    {{ kind }}_id is not null
    and event_day >= {{ first_day() }}
{{ 'union all' if not loop.last }}
{% endfor %}
