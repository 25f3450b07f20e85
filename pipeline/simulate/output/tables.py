"""A day as tables: the events the shop delivers, and the truth."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa

from pipeline.domain import EVENT_COLUMNS
from pipeline.simulate.campaigns.process import Process
from pipeline.simulate.settings import ShopSettings
from pipeline.simulate.visits.events import PURCHASE, Events
from pipeline.simulate.visits.sessions import STEPS, Sessions
from pipeline.simulate.world import codes
from pipeline.simulate.world.catalogue import NAMES, Catalogue
from pipeline.simulate.world.codes import Array, identifiers, mix, name_code
from pipeline.simulate.world.people import is_phone

MOMENT = pa.timestamp("ms", tz="UTC")
TYPES = {"string": pa.string(), "number": pa.float64(), "timestamp": MOMENT}
EVENTS = pa.schema([(name, TYPES[kind]) for name, kind in EVENT_COLUMNS.items()])
USER_DAYS = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_day", pa.date32()),
        ("is_bad", pa.bool_()),
        *((name, pa.string()) for name in ("typology", "variant", "actor_id", "look_alike")),
    ]
)
BAD_EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_day", pa.date32()),
        *((name, pa.string()) for name in ("user_id", "typology", "actor_id")),
    ]
)


@dataclass(frozen=True)
class Day:
    """One day of the shop. The shop knows `events` and `labels`; the other tables are the truth."""

    day: date
    events: pa.Table
    labels: pa.Table
    true_user_days: pa.Table
    true_events: pa.Table
    user_days: int


@dataclass(frozen=True)
class EventIds:
    """Identifiers of a day's events and accounts, in the order of the file."""

    event_id: pa.Array
    user_id: pa.Array
    midnight: datetime


def event_table(
    sessions: Sessions, events: Events, catalogue: Catalogue, settings: ShopSettings, n: int
) -> tuple[pa.Table, EventIds]:
    """The day's file: the event contract's columns, sorted by time, then by event_id."""
    seed, visit = settings.seed, events.visit
    ids = EventIds(
        codes.hexadecimal("e_", events.number), identifiers("u_", seed, sessions.user[visit] + 1), settings.midnight(n)
    )
    visits = (mix(seed, name_code("visit"), n, np.arange(len(sessions))) >> np.uint64(2)).astype(np.int64) + 1
    seller = np.where(events.item >= 0, catalogue.seller[events.item] + 1, 0)
    sent_to = np.where(events.step == PURCHASE, sessions.address[visit], 0)
    midnight = int(np.datetime64(ids.midnight, "ms").astype(np.int64))
    columns = [
        ids.event_id,
        ids.user_id,
        pa.array(midnight + events.at).cast(MOMENT),
        pa.array(STEPS).take(pa.array(events.step)),
        identifiers("s_", seed, visits).take(pa.array(visit)),
        identifiers("i_", seed, events.item + 1),
        pa.array(NAMES).take(pa.array(events.category, mask=events.category < 0)),
        pa.array(("web", "app")).take(pa.array(is_phone(sessions.device)[visit].astype(np.int8))),
        pa.array(events.cents / 100, mask=events.cents < 0),
        pa.array(events.quantity.astype(np.float64), mask=events.quantity < 1),
        identifiers("d_", seed, sessions.device).take(pa.array(visit)),
        codes.dotted(codes.address(sessions.network, sessions.host)).take(pa.array(visit)),
        identifiers("p_", seed, events.card),
        identifiers("a_", seed, sent_to),
        identifiers("c_", seed, seller),
    ]
    return pa.table(columns, schema=EVENTS), ids


def true_user_days(
    sessions: Sessions, variants: dict[int, str], processes: list[Process], settings: ShopSettings, n: int
) -> pa.Table:
    """Bad user-days and look-alikes, sorted by user."""
    acted = np.flatnonzero(sessions.process > 0)
    users = identifiers("u_", settings.seed, sessions.user[acted] + 1).to_pylist()
    actors = _actors(sessions.actor[acted], settings)
    rows = []
    for visit, user, actor in zip(acted.tolist(), users, actors, strict=True):
        process = processes[sessions.process[visit] - 1]
        rows.append(
            {
                "user_id": user,
                "event_day": settings.day(n),
                "is_bad": process.is_bad,
                "typology": process.name if process.is_bad else None,
                "variant": variants[int(sessions.actor[visit])] or None,
                "actor_id": actor if process.is_bad else None,
                "look_alike": None if process.is_bad else process.name,
            }
        )
    return pa.Table.from_pylist(sorted(rows, key=lambda row: str(row["user_id"])), USER_DAYS)


def true_events(
    sessions: Sessions, events: Events, ids: EventIds, processes: list[Process], settings: ShopSettings, n: int
) -> pa.Table:
    """Every event of a bad visit, in the order of the file."""
    is_bad = np.array([False, *(process.is_bad for process in processes)])
    rows = np.flatnonzero(is_bad[sessions.process[events.visit]])
    visit = events.visit[rows]
    chosen = pa.array(rows)
    typologies = pa.array(["", *(process.name for process in processes)])
    columns = [
        ids.event_id.take(chosen),
        pa.array([settings.day(n)] * len(rows), pa.date32()),
        ids.user_id.take(chosen),
        typologies.take(pa.array(sessions.process[visit])),
        pa.array(_actors(sessions.actor[visit], settings), pa.string()),
    ]
    return pa.table(columns, schema=BAD_EVENTS)


def _actors(campaigns: Array, settings: ShopSettings) -> list[str | None]:
    actors: list[str | None] = identifiers("x_", settings.seed, campaigns).to_pylist()
    return actors
