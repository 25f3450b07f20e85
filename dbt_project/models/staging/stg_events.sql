-- One row per event of the days this run needs that had arrived by `as_of`.
-- Without later arrivals the filter is left out: reading one more column costs each model a third more.

select
    event_id,
    user_id,
    event_at,
    cast(event_at as date) as event_day,
    event_type,
    role,
    session_id,
    item_id,
    category,
    channel,
    amount,
    quantity,
    device_id,
    network_id,
    payment_id,
    address_id,
    counterparty_id
from {{ parquet_rows(var('event_files'), lake_event_columns()) }} as lake
{% if var('has_later_arrivals') -%}
where arrived_at <= timestamp '{{ var("as_of") }}'
{%- endif %}
