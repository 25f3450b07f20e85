-- One row per user, kind and value (a device, a network, … or the user itself) and each earlier first sighting.
-- This is all that is remembered of days before the window. A row says: by `arrived_at` we knew that the user
-- had this at `first_seen_at`. A late event that moves the first sighting back adds a row and changes none, so
-- what was known at any `as_of` can still be told. Absorbing a file twice adds nothing.
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
    {% set value = "''" if kind == 'user' else kind_column(kind) %}
    select
        user_id,
        '{{ kind }}' as kind,
        {{ value }} as value,
        coalesce(nullif(arrived_at, event_at), min(event_at)) as arrived_at,
        min(event_at) as first_seen_at
    from arrivals
    where {{ value }} is not null
    group by user_id, {{ value }}, nullif(arrived_at, event_at)
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- in the order of arrival, only those that move the first sighting back
advances as (
    select
        *,
        min(first_seen_at) over (
            partition by user_id, kind, value
            order by arrived_at, first_seen_at
            rows between unbounded preceding and 1 preceding
        ) as known_before
    from sightings
)

select
    new.user_id,
    new.kind,
    new.value,
    new.first_seen_at,
    new.arrived_at
from advances as new
where
    (new.known_before is null or new.first_seen_at < new.known_before)
    and not exists (
        select 1
        from {{ this if is_incremental() else '(select * from advances where false)' }} as old
        where
            old.user_id = new.user_id
            and old.kind = new.kind
            and old.value = new.value
            and old.first_seen_at <= new.first_seen_at
            and old.arrived_at <= new.arrived_at
    )
