"""A small feature pipeline over any event stream, honest or with one mistake: leaks are priced with it."""

from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.arrays import Codes, Flags, Names
from pipeline.errors import InputError

NEWEST = 8  # events of a window that the stacker reads one by one
HISTORY = "order by event_day range between interval 28 days preceding and"
EVENTS = ("event_id", "user_id", "event_at", "amount", "counterparty_id")
LABELS = ("user_id", "event_id", "happened_at", "known_at", "is_bad")


@dataclass(frozen=True)
class Recipe:
    """Where a pipeline can look ahead: in the clock of labels, the reach of statistics, the end of windows."""

    label_clock: str = "known_at"
    usual: str = f"partition by user_id {HISTORY} interval 1 day preceding"
    recent: str = "partition by user_id order by event_day range between interval 7 days preceding and current row"
    newest_first: str = "event_at desc, event_id desc"  # the window ends with the day's last event


@dataclass(frozen=True)
class LabelledUserDays:
    """In the order of `features`: whether each user-day is bad, when that became known, and when its account did.

    Days since 1970-01-01; far in the future if nothing is bad.
    """

    user: Names
    day: Codes
    is_bad: Flags
    known_day: Codes
    account_known_day: Codes


# A label without an event is about all events of the account on that day.
BAD = """
    select
        e.event_id, e.user_id, e.counterparty_id, e.event_at::date as event_day, l.happened_at,
        min(l.known_at) as known_at
    from labels l
    join events e on e.user_id = l.user_id
        and (e.event_id = l.event_id or (l.event_id is null and e.event_at::date = l.happened_at::date))
    where l.is_bad
    group by all
"""

FEATURES = """
with bad as ({bad}),

paid as (
    select
        event_id, user_id, counterparty_id, event_at, event_at::date as event_day, amount::double as amount,
        event_id in (select event_id from bad) as is_bad
    from events
),

enriched as (
    select
        *,
        median(amount) over usual as usual_amount,
        event_day = min(event_day) over (partition by user_id, counterparty_id) as is_new_counterparty,
        count(*) over (partition by user_id {history} interval 1 day preceding) as earlier_event_count,
        row_number() over (partition by user_id, event_day order by event_at, event_id) as place,
        row_number() over (partition by user_id, event_day order by {newest_first}) as place_from_end,
        {newest}
    from paid
    window
        usual as ({usual}),
        in_order as (partition by user_id order by event_at, event_id)
),

histories as (
    select uses.user_id, uses.event_day, uses.counterparty_id, count(*) as bad_count
    from (select distinct user_id, event_day, counterparty_id from paid) as uses
    join bad on bad.counterparty_id = uses.counterparty_id and bad.user_id <> uses.user_id
        and bad.{label_clock}::date between uses.event_day - 27 and uses.event_day
    group by all
),

own_histories as (
    select uses.user_id, uses.event_day, count(*) as own_bad_count
    from (select distinct user_id, event_day from paid) as uses
    join bad on bad.user_id = uses.user_id and bad.{label_clock}::date < uses.event_day
    group by all
),

user_days as (
    select
        user_id,
        event_day,
        count(*) as event_count,
        sum(amount::decimal(18, 4))::double as amount,
        max(amount) as max_amount,
        max(amount / nullif(usual_amount, 0)) as max_amount_ratio,
        any_value(usual_amount) as usual_amount,
        count(*) filter (is_new_counterparty) as new_counterparty_count,
        any_value(earlier_event_count) as earlier_event_count,
        any_value(earlier_event_count) + max(place) filter (place_from_end = 1) as window_event_count,
        {newest_of_day},
        coalesce(max(bad_count), 0) as counterparty_bad_count
    from enriched left join histories using (user_id, event_day, counterparty_id)
    group by user_id, event_day
)

select
    user_days.*,
    max(max_amount) over recent / nullif(usual_amount, 0) as recent_amount_ratio,
    sum(event_count) over recent::bigint as recent_event_count,
    coalesce(own_bad_count, 0) as own_bad_count
from user_days left join own_histories using (user_id, event_day)
window recent as ({recent})
order by user_id, event_day
"""

TRUTH = """
with bad as ({bad}),

accounts as (
    select user_id, min(known_at::date) as known_day from bad where event_day >= $known_from group by user_id
),

bad_days as (select user_id, event_day, min(known_at::date) as known_day from bad group by user_id, event_day)

select
    user_id,
    event_day - date '1970-01-01' as day,
    bad_days.known_day is not null as is_bad,
    coalesce(bad_days.known_day - date '1970-01-01', 2147483647) as known_day,
    coalesce(accounts.known_day - date '1970-01-01', 2147483647) as account_known_day
from (select distinct user_id, event_at::date as event_day from events)
left join bad_days using (user_id, event_day)
left join accounts using (user_id)
order by user_id, event_day
"""


def features(events: pa.Table, labels: pa.Table, recipe: Recipe) -> pa.Table:
    """One row per user-day, sorted: user_id, event_day and the features of this recipe."""
    newest = [(f"amount_{k}", f"lag(amount, {k})") for k in range(NEWEST)]
    newest += [(f"hours_ago_{k}", f"epoch(event_at - lag(event_at, {k}) over in_order) / 3600") for k in range(NEWEST)]
    with _open(events, labels) as con:
        return con.sql(
            FEATURES.format(
                bad=BAD,
                history=HISTORY,
                newest_first=recipe.newest_first,
                newest=", ".join(f"{sql}{'' if 'over' in sql else ' over in_order'} as {name}" for name, sql in newest),
                newest_of_day=", ".join(f"max({name}) filter (place_from_end = 1) as {name}" for name, _ in newest),
                usual=recipe.usual,
                recent=recipe.recent,
                label_clock=recipe.label_clock,
            )
        ).to_arrow_table()


def label_user_days(events: pa.Table, labels: pa.Table, known_from: date) -> LabelledUserDays:
    """By all labels there are. An account is known by its bad events from `known_from` on."""
    with _open(events, labels) as con:
        table = con.sql(TRUTH.format(bad=BAD), params={"known_from": known_from}).to_arrow_table()
    day, known, account = (
        table[name].to_numpy().astype(np.int32) for name in ("day", "known_day", "account_known_day")
    )
    user = table["user_id"].to_numpy()
    return LabelledUserDays(user, day, table["is_bad"].to_numpy(), known, account)


def _open(events: pa.Table, labels: pa.Table) -> duckdb.DuckDBPyConnection:
    for table, needed, what in ((events, EVENTS, "events"), (labels, LABELS, "labels")):
        if absent := [name for name in needed if name not in table.column_names]:
            raise InputError(f"pricing leaks needs columns the {what} do not have", *absent)
    con = duckdb.connect(config={"threads": 2})
    con.execute("set TimeZone = 'UTC'")
    con.register("events", events.select(EVENTS))
    con.register("labels", labels.select(LABELS))
    return con
