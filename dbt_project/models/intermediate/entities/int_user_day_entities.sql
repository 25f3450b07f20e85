-- One row per user and day of this run: who else used its entities, and which bad events are known at them.

select
    entities.user_id,
    entities.event_day,
    {% for kind in entity_kinds() -%}
    max(shared.user_count - 1) filter (where entities.kind = '{{ kind }}') as {{ kind }}_other_user_count,
    {% endfor -%}
    min(shared.user_count - 1) filter (where entities.kind = 'counterparty') as rarest_counterparty_other_user_count,
    {% for kind in entity_kinds() -%}
    max(coalesce(history.bad_28d_count, 0)) filter (where entities.kind = '{{ kind }}') as {{ kind }}_bad_28d_count,
    {% endfor -%}
    max(coalesce(history.bad_7d_count, 0)) filter (where entities.kind = 'counterparty') as counterparty_bad_7d_count,
    {% for which in ['first', 'last'] -%}
    min(
        case
            when entities.kind = 'counterparty'
                then {{ dbt.datediff('history.' ~ which ~ '_bad_day', 'entities.event_day', 'day') }}
        end
    ) as counterparty_{{ which }}_bad_days,
    {% endfor -%}
    -- `usual` has rows of counterparties only
    max(coalesce(history.matured_bad_3d_count, 0) / (usual.matured_3d_count + 1.0)) as counterparty_bad_3d_ratio,
    max(coalesce(history.matured_bad_7d_count, 0) / (usual.matured_7d_count + 1.0)) as counterparty_bad_7d_ratio,
    max(coalesce(history.matured_bad_28d_count, 0) / (usual.matured_28d_count + 1.0)) as counterparty_bad_28d_ratio,
    max(
        coalesce(history.matured_bad_28d_count, 0) / (usual.matured_since_first_bad_count + 1.0)
    ) as counterparty_bad_since_first_ratio
from {{ ref('int_entities') }} as entities
inner join {{ ref('int_entity_users') }} as shared
    on
        entities.kind = shared.kind
        and entities.value = shared.value
        and entities.event_day = shared.event_day
left join {{ ref('int_label_history') }} as history
    on
        entities.kind = history.kind
        and entities.value = history.value
        and entities.event_day = history.event_day
left join {{ ref('int_counterparty_usual') }} as usual
    on
        entities.kind = 'counterparty'
        and entities.value = usual.counterparty_id
        and entities.event_day = usual.event_day
group by entities.user_id, entities.event_day
