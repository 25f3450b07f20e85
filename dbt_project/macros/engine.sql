{# All SQL that only DuckDB understands. The models use these macros, so they also run on another engine. #}

{#- A text as a literal of SQL. -#}
{% macro literal(text) -%}
    '{{ text | replace("'", "''") }}'
{%- endmacro %}

{#- Texts as literals, in a list. -#}
{% macro literals(texts) -%}
    {% for text in texts %}{{ literal(text) }}{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}

{#- A path inside a quoted text, as a pattern that only this path matches. -#}
{% macro exact_path(path) -%}
    {{ path | replace("'", "''") | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') }}
{%- endmacro %}

{#- The rows of Parquet files. Without files: the same columns and no rows. -#}
{% macro parquet_rows(files, columns) -%}
    {%- if files %}
    (select {{ columns.keys() | join(', ') }} from read_parquet([
        {%- for file in files %}'{{ exact_path(file) }}'{{ ', ' if not loop.last }}{% endfor -%}
    ], hive_partitioning = false))
    {%- else %}
    (
        select
            {% for name, type in columns.items() -%}
            cast(null as {{ type }}) as {{ name }}{{ ', ' if not loop.last }}
            {%- endfor %}
        where false
    )
    {%- endif %}
{%- endmacro %}

{#- Seconds from one timestamp to another, with their fraction. -#}
{% macro seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0
{%- endmacro %}

{#- Hour of the day, 0 to 23, in the time zone of the business. -#}
{% macro local_hour(timestamp) -%}
    hour(timezone('{{ var("timezone") }}', {{ timestamp }}::timestamptz))
{%- endmacro %}

{#- Weekday, 1 Monday to 7 Sunday, in the time zone of the business. -#}
{% macro local_weekday(timestamp) -%}
    isodow(timezone('{{ var("timezone") }}', {{ timestamp }}::timestamptz))
{%- endmacro %}

{#- A 64-bit key of some texts. Another version of the engine may give other keys: then the warehouse starts over. Of
    four thousand tables with a hundred million keys, about one has two equal keys. -#}
{% macro key_of(texts) -%}
    hash({{ texts | join(', ') }})
{%- endmacro %}

{#- Median of the distances to the median. -#}
{% macro median_absolute_deviation(expression) -%}
    mad({{ expression }})
{%- endmacro %}

{#- Lower quartile, median and upper quartile, interpolated, as one list. -#}
{% macro quartiles(expression) -%}
    quantile_cont({{ expression }}, [0.25, 0.5, 0.75])
{%- endmacro %}

{#- The `n`-th quartile (1 to 3) of such a list. -#}
{% macro quartile(list, n) -%}
    {{ list }}[{{ n }}]
{%- endmacro %}

{#- All rows of a relation: its keys as they are, every other column as a double. -#}
{% macro doubles(relation, keys) -%}
    select
        {{ keys | join(', ') }},
        cast(columns(* exclude ({{ keys | join(', ') }})) as double)
    from {{ relation }}
{%- endmacro %}

{#- The table that names the files which `memory` (a table that grows) has absorbed. -#}
{% macro absorbed_files(memory) -%}
    {{ memory.schema }}.absorbed_files
{%- endmacro %}

{% macro create_absorbed_files(memory) -%}
    create table if not exists {{ absorbed_files(memory) }} (file varchar primary key)
{%- endmacro %}

{#- The event files that `memory` has not absorbed yet. -#}
{% macro unabsorbed_files(memory) -%}
    {%- set files = var('all_event_files') -%}
    {%- if execute and is_incremental() -%}
        {%- set known = run_query('select file from ' ~ absorbed_files(memory)).columns[0].values() -%}
        {%- set files = files | reject('in', known) | list -%}
    {%- endif -%}
    {{ return(files) }}
{%- endmacro %}

{#- Note that `memory` has absorbed all event files. Runs in the model's own transaction: both are done, or neither. -#}
{% macro remember_absorbed_files(memory) -%}
    {%- if var('all_event_files') -%}
    insert into {{ absorbed_files(memory) }}
    select unnest([{{ literals(var('all_event_files')) }}]) as file
    except select file from {{ absorbed_files(memory) }}
    {%- else -%}
    select 1
    {%- endif -%}
{%- endmacro %}

{#- Write each day of a finished mart as one sorted Parquet file. DuckDB would mark a column without any null in the
    whole table as required, and a day's bytes would depend on the days it was built with. Without this optimizer every
    column stays optional. -#}
{% macro export_days(mart, first_day, order_by) -%}
    {%- if var('export_folder') -%}
        {%- set start = modules.datetime.date.fromisoformat(first_day) -%}
        {%- set days = (modules.datetime.date.fromisoformat(var('last_day')) - start).days -%}
        set disabled_optimizers = 'statistics_propagation';
        {%- for n in range(days + 1) -%}
            {%- set day = start + modules.datetime.timedelta(days=n) -%}
            copy (select * from {{ mart }} where event_day = date '{{ day }}' order by {{ order_by }})
            to {{ literal(var('export_folder') ~ '/' ~ mart.name ~ '-' ~ day ~ '.parquet') }}
            (format parquet, compression zstd, row_group_size 250000);
        {%- endfor -%}
        reset disabled_optimizers
    {%- else -%}
    select 1
    {%- endif -%}
{%- endmacro %}
