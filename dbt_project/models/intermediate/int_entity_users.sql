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

last_uses_before as (
    {% for kind in entity_kinds() %}
    select
        '{{ kind }}' as kind,
        {{ kind }}_id as value,
        user_id,
        max(event_day) as event_day
    from {{ ref('stg_events') }}
    where
        {{ kind }}_id in (
            select todays.value
            from todays
            where todays.kind = '{{ kind }}'
        )
        and {{ within_days_before('event_day', first_day(), var('window_days')) }}
    group by {{ kind }}_id, user_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

uses as (
    select
        kind,
        value,
        user_id,
        event_day,
        lead(event_day) over (partition by kind, value, user_id order by event_day) as next_day
    from {{ ref('int_entities') }}
),

first_uses as (
    select
        kind,
        value,
        user_id,
        min(event_day) as event_day
    from uses
    group by kind, value, user_id
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
        before.kind,
        before.value,
        before.event_day as from_day,
        first_uses.event_day as until_day,
        count(*) as user_count
    from last_uses_before as before
    left join first_uses
        on
            before.kind = first_uses.kind
            and before.value = first_uses.value
            and before.user_id = first_uses.user_id
    group by before.kind, before.value, before.event_day, first_uses.event_day
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
