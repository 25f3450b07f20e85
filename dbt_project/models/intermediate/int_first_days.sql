-- One row per pair that this run's events name (see int_first_seen): the first day we know of.

with pairs as (
    {% for kind in ['user'] + novel_kinds() %}
    select distinct {{ pair_key(kind) }} as pair_key
    from {{ ref('stg_events') }}
    where
        {{ kind_column(kind) }} is not null
        and event_day between date '{{ var("token_first_day") }}' and {{ last_day() }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    pair_key,
    min(first_seen_day) as first_seen_day
from {{ ref('int_first_seen') }}
where
    arrived_at <= timestamp '{{ var("as_of") }}'
    and pair_key in (select pairs.pair_key from pairs)
group by pair_key
