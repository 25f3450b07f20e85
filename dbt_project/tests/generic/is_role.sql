{#- A data test: only roles that the features know. -#}
{% test is_role(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not in ('{{ all_roles() | join("', '") }}')
{% endtest %}
