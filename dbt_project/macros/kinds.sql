{#- What ties accounts together: each is a column <kind>_id of an event. -#}
{% macro entity_kinds() -%}
    {{ return(['device', 'network', 'payment', 'address', 'counterpart']) }}
{%- endmacro %}

{#- What can be new to a user: the entities and the categories. -#}
{% macro novel_kinds() -%}
    {{ return(entity_kinds() + ['category']) }}
{%- endmacro %}

{#- The column of stg_events that holds a kind. -#}
{% macro kind_column(kind) -%}
    {{ return('category' if kind == 'category' else kind ~ '_id') }}
{%- endmacro %}

{#- What stands for a user and a value of a kind (for kind user: the user alone) in the memory of first sightings. -#}
{% macro pair_key(kind, relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    {{ lasting_key(["'" ~ kind ~ "'", prefix ~ 'user_id', prefix ~ kind_column(kind)]) }}
{%- endmacro %}
