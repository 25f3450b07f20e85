-- One row per kind, entity and day of this run: how many accounts used it that day or in the 28 days before.
-- Exact where few accounts are expected to share; counterparts, which have thousands, are estimated
-- (HyperLogLog, about 2 % off).

with todays as (
    select distinct
        kind,
        value,
        event_day
    from {{ ref('int_entities') }}
),

uses as (
    {% for kind in entity_kinds() %}
    select
        '{{ kind }}' as kind,
        {{ kind }}_id as value,
        user_id,
        event_day
    from {{ ref('stg_events') }}
    where
        {{ kind }}_id in (select todays.value from todays where todays.kind = '{{ kind }}')
        and event_day >= {{ days_after(first_day(), -var('window_days')) }}
        and event_day <= {{ last_day() }}
    group by {{ kind }}_id, user_id, event_day
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

{% for is_many in [false, true] %}
select
    todays.kind,
    todays.value,
    todays.event_day,
    {{ 'approx_count_distinct(uses.user_id)' if is_many else 'count(distinct uses.user_id)' }} as user_count
from todays
inner join uses
    on
        todays.kind = uses.kind
        and todays.value = uses.value
        and uses.event_day <= todays.event_day
        and uses.event_day >= {{ days_after('todays.event_day', -var('window_days')) }}
where todays.kind {{ '=' if is_many else '<>' }} 'counterpart'
group by todays.kind, todays.value, todays.event_day
{{ 'union all' if not is_many }}
{% endfor %}
