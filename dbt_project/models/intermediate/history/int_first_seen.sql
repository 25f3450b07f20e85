-- One row per pair (a user and a device, a network, … or the user itself) and each earlier first sighting.
-- This is all that is remembered of days before the window. A row says: by `arrived_at` we knew that the user
-- had this on `first_seen_day`. A late event that moves the first sighting back adds a row and changes none, so
-- what was known at any `as_of` can still be told. Absorbing a file twice adds nothing.
-- Pairs are kept as 64-bit keys: the table grows with all of history and is read every day.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook='create table if not exists {{ this.schema }}.absorbed_files (file varchar primary key)',
    post_hook='{{ remember_absorbed_files() }}'
) }}

with arrivals as (
    select
        user_id,
        category,
        device_id,
        network_id,
        payment_id,
        address_id,
        counterpart_id,
        event_at,
        arrived_at
    from {{ parquet_rows(unabsorbed_files(), lake_event_columns()) }} as lake
),

-- For each way of arriving together, the first sighting. History arrives as it happened: of all such events of a
-- user and value the first one also arrived first, so they are one group, not one each.
sightings as (
    {% for kind in ['user'] + novel_kinds() %}
    select
        {{ pair_key(kind) }} as pair_key,
        coalesce(nullif(arrived_at, event_at), min(event_at)) as arrived_at,
        cast(min(event_at) as date) as first_seen_day
    from arrivals
    where {{ kind_column(kind) }} is not null
    group by user_id, {{ kind_column(kind) }}, nullif(arrived_at, event_at)
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- in the order of arrival, only those that move the first sighting back
advances as (
    select
        *,
        min(first_seen_day) over (
            partition by pair_key
            order by arrived_at, first_seen_day
            rows between unbounded preceding and 1 preceding
        ) as known_before
    from sightings
),

new as (
    select
        pair_key,
        first_seen_day,
        arrived_at
    from advances
    where known_before is null or first_seen_day < known_before
)

{% if is_incremental() %}
,

-- found by joining, not by "not exists": that would hash all of the memory to ask about a few files
told_before as (
    select distinct
        new.pair_key,
        new.arrived_at
    from {{ this }} as old
    inner join new
        on
            old.pair_key = new.pair_key
            and old.first_seen_day <= new.first_seen_day
            and old.arrived_at <= new.arrived_at
)

select new.*
from new
left join told_before
    on
        new.pair_key = told_before.pair_key
        and new.arrived_at = told_before.arrived_at
where told_before.pair_key is null
{% else %}
select *
from new
{% endif %}
