-- One row per user and active UTC day: how that user behaved, compared with its own past, with everyone else
-- that day, and with those it shares things with. Null means "not known", never 0.
-- A row uses no event from after its day, and no label that was not known by the end of it.
{{ config(post_hook="{{ export_days(var('first_day'), 'user_id') }}") }}

select
    activity.user_id || '|' || activity.event_day as user_day_id,
    activity.user_id,
    activity.event_day,
    -- volume
    cast(activity.event_count as double) as event_count,
    cast(activity.active_hour_count as double) as active_hour_count,
    cast(activity.session_count as double) as session_count,
    cast(activity.item_count as double) as item_count,
    cast(activity.category_count as double) as category_count,
    cast(activity.counterpart_count as double) as counterpart_count,
    -- mix
    cast(case when {{ knows_role('browse') }} then activity.browse_count end as double) as browse_count,
    cast(case when {{ knows_role('search') }} then activity.search_count end as double) as search_count,
    cast(case when {{ knows_role('cart') }} then activity.cart_count end as double) as cart_count,
    cast(case when {{ knows_role('purchase') }} then activity.purchase_count end as double) as purchase_count,
    cast(case when {{ knows_role('login') }} then activity.login_count end as double) as login_count,
    cast(case when {{ knows_role('review') }} then activity.review_count end as double) as review_count,
    cast(case when {{ knows_role('refund') }} then activity.refund_count end as double) as refund_count,
    cast(case when {{ knows_role('coupon') }} then activity.coupon_count end as double) as coupon_count,
    cast(case when {{ knows_role('payment_failure') }} then activity.payment_failure_count end as double) as payment_failure_count,
    cast(case when {{ knows_role('adjustment') }} then activity.adjustment_count end as double) as adjustment_count,
    cast(case when {{ knows_role('refund') }} then activity.refund_count / cast(nullif(activity.refund_count + activity.purchase_count, 0) as double) end as double) as refund_ratio,
    cast(case when {{ knows_role('payment_failure') }} then activity.payment_failure_count / cast(nullif(activity.payment_failure_count + activity.purchase_count, 0) as double) end as double) as payment_failure_ratio,
    -- pace
    cast(activity.median_gap_seconds as double) as median_gap_seconds,
    cast(activity.min_gap_seconds as double) as min_gap_seconds,
    cast(activity.gap_deviation_seconds / nullif(activity.median_gap_seconds, 0) as double) as gap_variation_ratio,
    cast(activity.max_hour_event_count as double) as max_hour_event_count,
    cast(activity.night_ratio as double) as night_ratio,
    cast(activity.active_span_hours as double) as active_span_hours,
    -- money
    cast(activity.spend_amount as double) as spend_amount,
    cast(activity.max_purchase_amount as double) as max_purchase_amount,
    cast(activity.spend_amount / nullif(activity.purchase_count, 0) as double) as mean_purchase_amount,
    cast(case when {{ knows_role('refund') }} then activity.refund_amount end as double) as refund_amount,
    cast(activity.max_refund_amount as double) as max_refund_amount,
    cast(case when {{ knows_role('adjustment') }} then activity.adjustment_amount end as double) as adjustment_amount,
    cast(activity.max_quantity as double) as max_quantity,
    cast(activity.round_amount_ratio as double) as round_amount_ratio,
    -- novelty
    cast({{ dbt.datediff('first_days.first_seen_day', 'activity.event_day', 'day') }} as double) as account_age_days,
    cast(activity.new_device_count as double) as new_device_count,
    cast(activity.new_network_count as double) as new_network_count,
    cast(activity.new_payment_count as double) as new_payment_count,
    cast(activity.new_address_count as double) as new_address_count,
    cast(activity.new_counterpart_count as double) as new_counterpart_count,
    cast(activity.new_category_count as double) as new_category_count,
    cast(activity.new_counterpart_count / cast(nullif(activity.counterpart_count, 0) as double) as double) as new_counterpart_ratio,
    cast(activity.new_counterpart_max_amount as double) as new_counterpart_max_amount,
    -- own past
    cast(coalesce(usual.active_day_28d_count, 0) as double) as active_day_28d_count,
    cast(coalesce(usual.active_day_7d_count, 0) as double) as active_day_7d_count,
    cast({{ dbt.datediff('usual.last_active_day', 'activity.event_day', 'day') }} as double) as inactive_days,
    cast(coalesce(usual.event_7d_count, 0) as double) as event_7d_count,
    cast(coalesce(usual.event_28d_count, 0) as double) as event_28d_count,
    cast(usual.usual_event_count as double) as usual_event_count,
    cast(usual.usual_spend_amount as double) as usual_spend_amount,
    cast(usual.usual_max_purchase_amount as double) as usual_max_purchase_amount,
    cast(usual.mean_purchase_amount as double) as usual_mean_purchase_amount,
    cast(usual.mean_purchase_7d_amount as double) as mean_purchase_7d_amount,
    cast(case
        when usual.active_day_28d_count >= 3
            then {{ own_deviation('activity.event_count', 'usual.event_count_median_log', 'usual.event_count_spread_log') }}
    end as double) as event_count_own_deviation,
    cast(case
        when usual.active_day_28d_count >= 3
            then {{ own_deviation('activity.spend_amount', 'usual.spend_amount_median_log', 'usual.spend_amount_spread_log') }}
    end as double) as spend_amount_own_deviation,
    cast(case
        when usual.active_day_28d_count >= 3
            then {{ own_deviation('activity.max_purchase_amount', 'usual.max_purchase_amount_median_log', 'usual.max_purchase_amount_spread_log') }}
    end as double) as max_purchase_amount_own_deviation,
    cast(case
        when {{ knows_role('refund') }} and usual.active_day_28d_count >= 3
            then {{ own_deviation('activity.refund_amount', 'usual.refund_amount_median_log', 'usual.refund_amount_spread_log') }}
    end as double) as refund_amount_own_deviation,
    cast(activity.max_purchase_amount / nullif(usual.mean_purchase_amount, 0) as double) as max_purchase_own_ratio,
    cast(case
        when usual.purchase_28d_count >= 3
            then (activity.max_purchase_amount - usual.mean_purchase_amount) / (usual.purchase_amount_spread + 1)
    end as double) as max_purchase_own_spreads,
    cast(activity.max_purchase_amount / nullif(usual.highest_purchase_amount, 0) as double) as max_purchase_record_ratio,
    -- everyone
    cast({{ percentile_of('activity.event_count') }} as double) as event_count_percentile,
    cast({{ percentile_of('activity.spend_amount') }} as double) as spend_amount_percentile,
    cast({{ percentile_of('activity.max_purchase_amount') }} as double) as max_purchase_amount_percentile,
    cast({{ percentile_of('activity.refund_amount') if 'refund' in var('roles') else 'null' }} as double) as refund_amount_percentile,
    cast({{ percentile_of('activity.max_hour_event_count') }} as double) as max_hour_event_count_percentile,
    cast({{ percentile_of('activity.new_counterpart_count') }} as double) as new_counterpart_count_percentile,
    -- shared
    cast(entities.device_other_user_count as double) as device_other_user_count,
    cast(entities.network_other_user_count as double) as network_other_user_count,
    cast(entities.payment_other_user_count as double) as payment_other_user_count,
    cast(entities.address_other_user_count as double) as address_other_user_count,
    cast(entities.counterpart_other_user_count as double) as counterpart_other_user_count,
    cast(entities.rarest_counterpart_other_user_count as double) as rarest_counterpart_other_user_count,
    -- counterpart
    cast(counterparts.counterpart_amount_deviation as double) as counterpart_amount_deviation,
    cast(counterparts.counterpart_busy_ratio as double) as counterpart_busy_ratio,
    cast(counterparts.counterpart_amount_shift_ratio as double) as counterpart_amount_shift_ratio,
    -- label history
    cast({{ label_column('entities.device_bad_28d_count') }} as double) as device_bad_28d_count,
    cast({{ label_column('entities.network_bad_28d_count') }} as double) as network_bad_28d_count,
    cast({{ label_column('entities.payment_bad_28d_count') }} as double) as payment_bad_28d_count,
    cast({{ label_column('entities.address_bad_28d_count') }} as double) as address_bad_28d_count,
    cast({{ label_column('entities.counterpart_bad_28d_count') }} as double) as counterpart_bad_28d_count,
    cast({{ label_column('entities.counterpart_bad_7d_count') }} as double) as counterpart_bad_7d_count,
    cast({{ label_column('entities.counterpart_bad_7d_ratio') }} as double) as counterpart_bad_7d_ratio,
    cast({{ label_column('entities.counterpart_bad_28d_ratio') }} as double) as counterpart_bad_28d_ratio
from {{ ref('int_user_day_activity') }} as activity
left join {{ ref('int_first_days') }} as first_days
    on activity.user_id = first_days.user_id
left join {{ ref('int_user_usual') }} as usual
    on
        activity.user_id = usual.user_id
        and activity.event_day = usual.event_day
left join {{ ref('int_user_day_entities') }} as entities
    on
        activity.user_id = entities.user_id
        and activity.event_day = entities.event_day
left join {{ ref('int_user_day_counterparts') }} as counterparts
    on
        activity.user_id = counterparts.user_id
        and activity.event_day = counterparts.event_day
