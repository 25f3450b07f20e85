-- One row per user and active UTC day: how the user behaved, beside its own past, all users of that day, and the users
-- it shares entities with. Null means "not known", never 0.
-- A row uses no event from after its day, and only labels known by the end of it.
{{ config(post_hook="{{ export_days(this, var('first_day'), 'user_id') }}") }}

-- ranked by themselves: each ranking sorts all columns of its query
with percentiles as (
    select
        {% for measure in ranked_measures() -%}
        {{ percentile_of(measure, 'activity') }} as {{ measure }}_percentile,
        {% endfor -%}
        activity.user_id,
        activity.event_day
    from {{ ref('int_user_day_activity') }} as activity
),

user_days as (
    select
        activity.user_id || '|' || activity.event_day as user_day_id,
        activity.user_id,
        activity.event_day,
        -- volume
        activity.event_count,
        activity.active_hour_count,
        activity.session_count,
        activity.item_count,
        activity.category_count,
        activity.counterparty_count,
        -- mix
        {% for role in all_roles() -%}
        activity.{{ role }}_count,
        {% endfor -%}
        activity.refund_count / nullif(activity.refund_count + activity.purchase_count, 0) as refund_ratio,
        activity.payment_failure_count
        / nullif(activity.payment_failure_count + activity.purchase_count, 0) as payment_failure_ratio,
        -- pace
        activity.median_gap_seconds,
        activity.min_gap_seconds,
        activity.gap_deviation_seconds / nullif(activity.median_gap_seconds, 0) as gap_variation_ratio,
        activity.max_hour_event_count,
        activity.night_ratio,
        activity.active_span_hours,
        -- money
        activity.spend_amount,
        activity.max_purchase_amount,
        activity.spend_amount / nullif(activity.priced_purchase_count, 0) as mean_purchase_amount,
        activity.refund_amount,
        activity.max_refund_amount,
        activity.adjustment_amount,
        activity.max_quantity,
        activity.round_amount_ratio,
        -- novelty
        {{ dbt.datediff('first_days.first_seen_day', 'activity.event_day', 'day') }} as account_age_days,
        {% for kind in novel_kinds() -%}
        activity.new_{{ kind }}_count,
        {% endfor -%}
        activity.new_counterparty_count / nullif(activity.counterparty_count, 0) as new_counterparty_ratio,
        activity.new_counterparty_max_amount,
        -- own past
        coalesce(usual.active_day_28d_count, 0) as active_day_28d_count,
        coalesce(usual.active_day_7d_count, 0) as active_day_7d_count,
        {{ dbt.datediff('usual.last_active_day', 'activity.event_day', 'day') }} as inactive_days,
        coalesce(usual.event_7d_count, 0) as event_7d_count,
        coalesce(usual.event_28d_count, 0) as event_28d_count,
        usual.usual_event_count,
        usual.usual_spend_amount,
        usual.usual_max_purchase_amount,
        usual.mean_purchase_amount as usual_mean_purchase_amount,
        usual.mean_purchase_7d_amount,
        {% for measure in usual_measures() -%}
        {{ own_deviation(measure, 'activity', 'usual') }} as {{ measure }}_own_deviation,
        {% endfor -%}
        activity.max_purchase_amount / nullif(usual.mean_purchase_amount, 0) as max_purchase_own_ratio,
        case
            when usual.priced_purchase_28d_count >= 3
                then
                    (activity.max_purchase_amount - usual.mean_purchase_amount)
                    / (usual.purchase_amount_spread + 1)
        end as max_purchase_own_spreads,
        activity.max_purchase_amount / nullif(usual.highest_purchase_amount, 0) as max_purchase_record_ratio,
        usual.highest_purchase_14d_amount
        / nullif(usual.mean_purchase_before_amount, 0) as max_purchase_14d_own_ratio,
        -- everyone
        {% for measure in ranked_measures() -%}
        percentiles.{{ measure }}_percentile,
        {% endfor -%}
        -- shared
        {% for kind in entity_kinds() -%}
        entities.{{ kind }}_other_user_count,
        {% endfor -%}
        entities.rarest_counterparty_other_user_count,
        -- counterparty
        counterparties.counterparty_amount_deviation,
        counterparties.counterparty_busy_ratio,
        counterparties.counterparty_amount_shift_ratio,
        -- label history
        {% for kind in entity_kinds() -%}
        {{ label_column('entities.' ~ kind ~ '_bad_28d_count') }} as {{ kind }}_bad_28d_count,
        {% endfor -%}
        {{ label_column('entities.counterparty_bad_7d_count') }} as counterparty_bad_7d_count,
        {{ label_column('entities.counterparty_bad_3d_ratio') }} as counterparty_bad_3d_ratio,
        {{ label_column('entities.counterparty_bad_7d_ratio') }} as counterparty_bad_7d_ratio,
        {{ label_column('entities.counterparty_bad_28d_ratio') }} as counterparty_bad_28d_ratio,
        {{ label_column('entities.counterparty_bad_since_first_ratio') }} as counterparty_bad_since_first_ratio,
        {{ label_column('entities.counterparty_first_bad_days') }} as counterparty_first_bad_days,
        {{ label_column('entities.counterparty_last_bad_days') }} as counterparty_last_bad_days
    from {{ ref('int_user_day_activity') }} as activity
    inner join percentiles
        on
            activity.user_id = percentiles.user_id
            and activity.event_day = percentiles.event_day
    left join {{ ref('int_first_days') }} as first_days
        on
            first_days.kind = 'user'
            and {{ pair_key('user', 'activity') }} = first_days.pair_key
    left join {{ ref('int_user_usual') }} as usual
        on
            activity.user_id = usual.user_id
            and activity.event_day = usual.event_day
    left join {{ ref('int_user_day_entities') }} as entities
        on
            activity.user_id = entities.user_id
            and activity.event_day = entities.event_day
    left join {{ ref('int_user_day_counterparties') }} as counterparties
        on
            activity.user_id = counterparties.user_id
            and activity.event_day = counterparties.event_day
)

{{ doubles('user_days', keys=['user_day_id', 'user_id', 'event_day']) }}
