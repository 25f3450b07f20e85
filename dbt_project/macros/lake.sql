{#- The columns of the lake's event files: written by ingest, read by staging. -#}
{% macro lake_event_columns() -%}
    {%- set columns = {} -%}
    {%- for name in ['event_id', 'user_id', 'event_type', 'role', 'session_id', 'item_id', 'category', 'channel',
                     'device_id', 'network_id', 'payment_id', 'address_id', 'counterparty_id'] -%}
        {%- do columns.update({name: 'varchar'}) -%}
    {%- endfor -%}
    {%- do columns.update({'event_at': 'timestamp', 'arrived_at': 'timestamp',
                           'amount': 'decimal(18, 4)', 'quantity': 'decimal(18, 4)'}) -%}
    {{ return(columns) }}
{%- endmacro %}

{#- The columns of the lake's label files that the features need. -#}
{% macro lake_label_columns() -%}
    {{ return({'user_id': 'varchar', 'event_id': 'varchar', 'happened_at': 'timestamp', 'ends_at': 'timestamp',
               'known_at': 'timestamp', 'is_bad': 'boolean', 'arrived_at': 'timestamp'}) }}
{%- endmacro %}
