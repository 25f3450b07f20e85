{# Everything that is DuckDB's own SQL lives here, so that the models also run on another engine. #}

{#- A path inside a quoted text, as a pattern that only this path matches. -#}
{% macro exact_path(path) -%}
    {{ path | replace("'", "''") | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]') }}
{%- endmacro %}

{#- Rows of Parquet files, or none at all with the same columns when there are no files. -#}
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

{% macro seconds_between(earlier, later) -%}
    (epoch_us({{ later }}) - epoch_us({{ earlier }})) / 1000000.0
{%- endmacro %}

{#- Hour of day, 0 to 23, on the wall clock of the business. -#}
{% macro local_hour(timestamp) -%}
    hour(timezone('{{ var("timezone") }}', {{ timestamp }}::timestamptz))
{%- endmacro %}

{#- 1 Monday .. 7 Sunday, on the calendar of the business. -#}
{% macro local_weekday(timestamp) -%}
    isodow(timezone('{{ var("timezone") }}', {{ timestamp }}::timestamptz))
{%- endmacro %}

{#- 64 bits that stand for some texts, today and after any upgrade. In a table of a hundred million keys two are the
    same about once in four thousand such tables. -#}
{% macro lasting_key(texts) -%}
    md5_number_lower(concat_ws(chr(31), {{ texts | join(', ') }}))
{%- endmacro %}

{#- 64 bits that stand for a text while the query runs: faster to compute and to compare. -#}
{% macro passing_key(text) -%}
    hash({{ text }})
{%- endmacro %}

{% macro median_absolute_deviation(expression) -%}
    mad({{ expression }})
{%- endmacro %}

{#- Lower quartile, median and upper quartile as one list, interpolated. -#}
{% macro quartiles(expression) -%}
    quantile_cont({{ expression }}, [0.25, 0.5, 0.75])
{%- endmacro %}

{#- The `n`-th (1 to 3) of such a list. -#}
{% macro quartile(list, n) -%}
    {{ list }}[{{ n }}]
{%- endmacro %}

{#- All columns of a relation: the keys as they are, every other one as a double. -#}
{% macro doubles(relation, keys) -%}
    select
        {{ keys | join(', ') }},
        cast(columns(* exclude ({{ keys | join(', ') }})) as double)
    from {{ relation }}
{%- endmacro %}

{#- Absorb only files this warehouse has not absorbed yet; the log is written in the model's own transaction. -#}
{% macro unabsorbed_files() -%}
    {%- set files = var('all_event_files') -%}
    {%- if execute and is_incremental() -%}
        {%- set known = run_query('select file from ' ~ this.schema ~ '.absorbed_files').columns[0].values() -%}
        {%- set files = files | reject('in', known) | list -%}
    {%- endif -%}
    {{ return(files) }}
{%- endmacro %}

{% macro remember_absorbed_files() -%}
    {%- if var('all_event_files') -%}
    insert into {{ this.schema }}.absorbed_files
    select unnest([
        {%- for file in var('all_event_files') %}'{{ file | replace("'", "''") }}'{{ ', ' if not loop.last }}{% endfor -%}
    ]) as file
    except select file from {{ this.schema }}.absorbed_files
    {%- else -%}
    select 1
    {%- endif -%}
{%- endmacro %}

{#- Write each day of a finished mart as one sorted Parquet file. A column is optional in every file: left to its
    statistics, DuckDB makes it required where the whole table has no null, and then a day's bytes depend on the days
    it was built with. -#}
{% macro export_days(first_day, order_by) -%}
    {%- if var('export_folder') -%}
        {%- set start = modules.datetime.date.fromisoformat(first_day) -%}
        {%- set days = (modules.datetime.date.fromisoformat(var('last_day')) - start).days -%}
        set disabled_optimizers = 'statistics_propagation';
        {%- for n in range(days + 1) -%}
            {%- set day = start + modules.datetime.timedelta(days=n) -%}
            copy (select * from {{ this }} where event_day = date '{{ day }}' order by {{ order_by }})
            to '{{ var("export_folder") | replace("'", "''") }}/{{ this.name }}-{{ day }}.parquet'
            (format parquet, compression zstd, row_group_size 250000);
        {%- endfor -%}
        reset disabled_optimizers
    {%- else -%}
    select 1
    {%- endif -%}
{%- endmacro %}
