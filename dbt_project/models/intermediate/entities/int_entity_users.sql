-- One row per kind, entity and day of this run: how many accounts used it that day or in the 28 days before.
-- A use begins a stretch. It ends 28 days later, or at the same account's next use if that is earlier. On any day an
-- account has at most one stretch, so counting stretches counts accounts, without a set of accounts per day.

-- grouping by numbers is cheaper than by texts
with numbered as (
    select
        kind,
        value,
        cast(row_number() over (order by kind, value) as integer) as entity
    from (
        select distinct
            entities.kind,
            entities.value
        from {{ ref('int_entities') }} as entities
    ) as named
),

-- per account and entity: the last use before this run, and the first one since
accounts as (
    {% for kind in entity_kinds() %}
    select
        numbered.entity,
        max(events.event_day) filter (where events.event_day < {{ first_day() }}) as last_day_before,
        min(events.event_day) filter (where events.event_day >= {{ first_day() }}) as first_day_since
    from {{ ref('stg_events') }} as events
    inner join numbered
        on
            numbered.kind = '{{ kind }}'
            and events.{{ kind }}_id = numbered.value
    where
        {{ is_on_days('events.event_at', days_after(first_day(), -var('window_days')), last_day()) }}
    group by numbered.entity, {{ key_of(['events.user_id']) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

uses as (
    select
        numbered.entity,
        entities.event_day,
        lead(entities.event_day) over (
            partition by numbered.entity, {{ key_of(['entities.user_id']) }}
            order by entities.event_day
        ) as next_day
    from {{ ref('int_entities') }} as entities
    inner join numbered
        on
            entities.kind = numbered.kind
            and entities.value = numbered.value
),

-- equal stretches are counted before they are joined to days: there are far fewer of them than accounts
stretches as (
    select
        entity,
        event_day as from_day,
        next_day as until_day,
        count(*) as user_count
    from uses
    group by entity, event_day, next_day
    union all
    select
        entity,
        last_day_before as from_day,
        first_day_since as until_day,
        count(*) as user_count
    from accounts
    where last_day_before is not null
    group by entity, last_day_before, first_day_since
),

todays as (
    select distinct
        entity,
        event_day
    from uses
),

totals as (
    select
        todays.entity,
        todays.event_day,
        cast(sum(stretches.user_count) as bigint) as user_count
    from todays
    inner join stretches
        on
            todays.entity = stretches.entity
            and todays.event_day >= stretches.from_day
            and todays.event_day <= {{ days_after('stretches.from_day', var('window_days')) }}
            and (stretches.until_day is null or todays.event_day < stretches.until_day)
    group by todays.entity, todays.event_day
)

select
    numbered.kind,
    numbered.value,
    totals.event_day,
    totals.user_count
from totals
inner join numbered on totals.entity = numbered.entity
