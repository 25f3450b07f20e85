-- One row per kind, entity and day of this run: how many accounts used it that day or in the 28 days before.
-- Each use counts until 28 days later or until the same account's next use, whichever is first: so an account is
-- in at most one stretch at a time, and counting stretches counts accounts, without sets of accounts per day.

with todays as (
    select distinct
        kind,
        value,
        event_day
    from {{ ref('int_entities') }}
),

-- numbers are cheaper to group by than texts
numbered as (
    select
        kind,
        value,
        cast(row_number() over (order by kind, value) as integer) as entity
    from (
        select distinct
            todays.kind,
            todays.value
        from todays
    ) as entities
),

-- of each account and entity: its last use before this run, and its first one since
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
    group by numbered.entity, {{ passing_key('events.user_id') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

uses as (
    select
        kind,
        value,
        event_day,
        lead(event_day) over (partition by kind, value, user_id order by event_day) as next_day
    from {{ ref('int_entities') }}
),

-- alike stretches are counted before they meet the days: there are far fewer of them than accounts
stretches as (
    select
        kind,
        value,
        event_day as from_day,
        next_day as until_day,
        count(*) as user_count
    from uses
    group by kind, value, event_day, next_day
    union all
    select
        numbered.kind,
        numbered.value,
        before.from_day,
        before.until_day,
        before.user_count
    from (
        select
            entity,
            last_day_before as from_day,
            first_day_since as until_day,
            count(*) as user_count
        from accounts
        where last_day_before is not null
        group by entity, last_day_before, first_day_since
    ) as before
    inner join numbered on before.entity = numbered.entity
)

select
    todays.kind,
    todays.value,
    todays.event_day,
    cast(sum(stretches.user_count) as bigint) as user_count
from todays
inner join stretches
    on
        todays.kind = stretches.kind
        and todays.value = stretches.value
        and todays.event_day >= stretches.from_day
        and todays.event_day <= {{ days_after('stretches.from_day', var('window_days')) }}
        and (stretches.until_day is null or todays.event_day < stretches.until_day)
group by todays.kind, todays.value, todays.event_day
