-- One row per pair and advance of its first sighting. A pair is a user and a device, a network, …; or the user alone.
-- It is the only memory of days before the window. A row says: at `arrived_at` we learned that the user had this on
-- `first_seen_day`. A late event that moves the first sighting back adds a row and changes none, so what was known at
-- any `as_of` stays known. Absorbing a file twice adds nothing.
-- Pairs are 64-bit keys, because the table grows with all of history and is read every day.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook='{{ create_absorbed_files(this) }}',
    post_hook='{{ remember_absorbed_files(this) }}'
) }}

with arrivals as (
    select
        user_id,
        category,
        device_id,
        network_id,
        payment_id,
        address_id,
        counterparty_id,
        event_at,
        arrived_at
    from {{ parquet_rows(unabsorbed_files(this), lake_event_columns()) }} as lake
),

-- The first sighting of each pair and moment of arrival. Events that arrived as they happened (history) are one group
-- per pair: the first of them also arrived first.
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

-- in the order of arrival: the first day known before each sighting
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

-- an advance moves the first sighting back
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

-- a join, because "not exists" would hash the whole table for a few new files
known_already as (
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
left join known_already
    on
        new.pair_key = known_already.pair_key
        and new.arrived_at = known_already.arrived_at
where known_already.pair_key is null
{% else %}
select *
from new
{% endif %}
