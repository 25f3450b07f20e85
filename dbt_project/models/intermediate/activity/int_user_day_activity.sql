-- One row per user and active UTC day of this run: what the user did that day, compared with nothing.
-- Amounts are decimals, so sums are exact in any order of rows.

with events as (
    select *
    from {{ ref('int_events') }}
    where event_day >= {{ first_day() }}
),

-- sorted by itself: all columns of an event are dear to sort
gaps as (
    select
        user_id,
        event_day,
        {{ seconds_between('lag(event_at) over earlier_that_day', 'event_at') }} as gap_seconds
    from events
    window earlier_that_day as (partition by user_id, event_day order by event_at)
),

paces as (
    select
        user_id,
        event_day,
        median(gap_seconds) as median_gap_seconds,
        min(gap_seconds) as min_gap_seconds,
        -- a single gap has no deviation
        case
            when count(gap_seconds) >= 2
                then {{ median_absolute_deviation('gap_seconds') }}
        end as gap_deviation_seconds
    from gaps
    group by user_id, event_day
),

busiest_hour as (
    select
        user_id,
        event_day,
        max(hour_event_count) as max_hour_event_count
    from (
        select
            user_id,
            event_day,
            count(*) as hour_event_count
        from events
        group by user_id, event_day, {{ dbt.date_trunc('hour', 'event_at') }}
    ) as hours
    group by user_id, event_day
),

user_days as (
    select
        user_id,
        event_day,
        -- how much, and of what
        count(*) as event_count,
        count(distinct local_hour) as active_hour_count,
        nullif(count(distinct session_id), 0) as session_count,
        nullif(count(distinct item_id), 0) as item_count,
        nullif(count(distinct category), 0) as category_count,
        nullif(count(distinct counterparty_id), 0) as counterparty_count,
        {% for role in all_roles() -%}
        {{ count_of(role) }} as {{ role }}_count,
        {% endfor -%}
        count(*) filter (where local_hour < 6) / cast(count(*) as double) as night_ratio,
        {{ seconds_between('min(event_at)', 'max(event_at)') }} / 3600 as active_span_hours,
        -- money
        {{ amount_of('purchase') }} as spend_amount,
        count(amount) filter (where role = 'purchase') as priced_purchase_count,
        max(amount) filter (where role = 'purchase') as max_purchase_amount,
        {{ amount_of('refund') }} as refund_amount,
        max(amount) filter (where role = 'refund') as max_refund_amount,
        {{ amount_of('adjustment') }} as adjustment_amount,
        max(quantity) as max_quantity,
        count(*) filter (where role = 'purchase' and amount = floor(amount))
        / cast(nullif(count(*) filter (where role = 'purchase' and amount is not null), 0) as double)
            as round_amount_ratio,
        -- novelty
        {% for kind in novel_kinds() -%}
        case
            when count(is_new_{{ kind }}) > 0
                then count(distinct {{ kind_column(kind) }}) filter (where is_new_{{ kind }})
        end as new_{{ kind }}_count,
        {% endfor -%}
        max(amount) filter (where role = 'purchase' and is_new_counterparty) as new_counterparty_max_amount
    from events
    group by user_id, event_day
)

select
    user_days.*,
    -- pace: scripts are fast and even, people are neither
    paces.median_gap_seconds,
    paces.min_gap_seconds,
    paces.gap_deviation_seconds,
    busiest_hour.max_hour_event_count
from user_days
inner join busiest_hour
    on
        user_days.user_id = busiest_hour.user_id
        and user_days.event_day = busiest_hour.event_day
inner join paces
    on
        user_days.user_id = paces.user_id
        and user_days.event_day = paces.event_day
