-- One row per pair (see int_first_seen) in this run's events: the first day it was seen, as known at `as_of`.

with pairs as (
    {% for kind in ['user'] + novel_kinds() %}
    select distinct
        '{{ kind }}' as kind,
        {{ pair_key(kind) }} as pair_key
    from {{ ref('stg_events') }}
    where
        {{ kind_column(kind) }} is not null
        and {{ is_on_days('event_at', token_first_day(), last_day()) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

remembered as (
    select
        pair_key,
        min(first_seen_day) as first_seen_day
    from {{ ref('int_first_seen') }}
    where
        arrived_at <= timestamp '{{ var("as_of") }}'
        and pair_key in (select pairs.pair_key from pairs)
    group by pair_key
)

select
    pairs.kind,
    pairs.pair_key,
    remembered.first_seen_day
from pairs
inner join remembered on pairs.pair_key = remembered.pair_key
