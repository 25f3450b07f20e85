{#- The kinds of thing that accounts share: each is a column <kind>_id of an event. -#}
{% macro entity_kinds() -%}
    {{ return(['device', 'network', 'payment', 'address', 'counterparty']) }}
{%- endmacro %}

{#- The kinds of thing that can be new to a user: the entities and the categories. -#}
{% macro novel_kinds() -%}
    {{ return(entity_kinds() + ['category']) }}
{%- endmacro %}

{#- The column of an event that holds a kind. -#}
{% macro kind_column(kind) -%}
    {{ return('category' if kind == 'category' else kind ~ '_id') }}
{%- endmacro %}

{#- The key of a user and a value of a kind in int_first_seen; for the kind `user`, of the user alone.
    `relation`: where the columns are read from, if the query has more than one relation. -#}
{% macro pair_key(kind, relation=none) -%}
    {%- set prefix = relation ~ '.' if relation else '' -%}
    {{ key_of(["'" ~ kind ~ "'", prefix ~ 'user_id', prefix ~ kind_column(kind)]) }}
{%- endmacro %}
