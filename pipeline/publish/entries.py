"""The rows of a list: ranked, cut, with their reasons."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipeline.domain import Domain
from pipeline.publish import audit
from pipeline.publish.audit import Stratum
from pipeline.publish.ranking import Cut, RankedBy, cut_by_false_alarms, cut_by_precision, rank

if TYPE_CHECKING:
    import pyarrow as pa

Contribution = tuple[str, float | None, float]  # feature, its value, what it added
Sentences = Callable[[Mapping[str, float | None], list[Contribution], list[dict[str, Any]], str], list[str]]

REASONS = 3
SCORE_COLUMNS = ("user_id", "risk", "surprise", "surprise_percentile", "top_events")
DIGITS = 6  # of scores as published: the same in CSV, Parquet and PostgreSQL


@dataclass(frozen=True)
class Explanations:
    """What the reasons of a list's accounts are made of: features and contributions by user, of the listed day."""

    features: Mapping[str, Mapping[str, float | None]]
    contributions: Mapping[str, Sequence[Contribution]]
    currency: str
    sentences: Sentences

    def reasons(self, user: str, top_events: str) -> list[str | None]:
        """The user's reasons, most important first; None where there are fewer."""
        features, contributions = self.features.get(user, {}), list(self.contributions.get(user, ()))
        reasons = self.sentences(features, contributions, json.loads(top_events), self.currency)
        return [*reasons[:REASONS], *[None] * REASONS][:REASONS]


@dataclass(frozen=True)
class Choice:
    """A list's rows, with `picked_by` and `propensity`: first the picked accounts, then the audit rows. Both ranked.

    `slots` are the reviews meant for audit rows, `strata` what those were drawn from.
    """

    rows: "pa.Table"
    cut: Cut
    slots: int
    strata: list[Stratum]

    @property
    def picked(self) -> int:
        return self.cut.length

    @property
    def audited(self) -> int:
        return len(self.rows) - self.picked


def choose(scores: "pa.Table", by: RankedBy, domain: Domain, list_size: int, seed: str) -> Choice:
    """The accounts to review: the ranking up to its cut, and audit rows drawn by `seed` from the accounts below it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    ranked = rank(scores)
    slots = audit.audit_slots(list_size, domain.audit_share)
    if by == "risk":
        cut = cut_by_precision(ranked["risk"].to_pylist(), domain.min_precision, list_size - slots)
    else:
        cut = cut_by_false_alarms(ranked["surprise_percentile"].to_pylist(), domain.false_alarms, list_size - slots)
    unpicked = ranked.slice(cut.length)
    strata = audit.strata(len(unpicked), slots)
    drawn = audit.draw(unpicked["user_id"].to_pylist(), strata, seed)
    is_drawn = pc.is_in(unpicked["user_id"], value_set=pa.array(list(drawn), pa.string()))
    rows = pa.concat_tables([ranked.slice(0, cut.length), unpicked.filter(is_drawn)])
    picked_by = [by] * cut.length + ["audit"] * len(drawn)
    propensities = [1.0] * cut.length + list(drawn.values())
    rows = rows.append_column("picked_by", pa.array(picked_by, pa.string()))
    rows = rows.append_column("propensity", pa.array(propensities, pa.float64()))
    return Choice(rows, cut, slots, strata)


def assemble(chosen: "pa.Table", explanations: Explanations, bundle: str) -> "pa.Table":
    """The published rows: `chosen` in order, each with up to three reasons. An audit row has one: that it was drawn."""
    score_columns = sorted(column for column in chosen.column_names if column.startswith("score_"))
    rows = []
    for place, score in enumerate(chosen.to_pylist(), start=1):
        user = score["user_id"]
        top_events = score.get("top_events") or "[]"
        is_audit = score["picked_by"] == "audit"
        reasons = [audit.REASON, None, None] if is_audit else explanations.reasons(user, top_events)
        rows.append(
            {
                "day": score["day"],
                "rank": place,
                "user_id": user,
                "picked_by": score["picked_by"],
                "propensity": score["propensity"],
                "risk": _rounded(score["risk"]),
                "surprise_percentile": _rounded(score["surprise_percentile"]),
                **{column: _rounded(score[column]) for column in score_columns},
                "ring_id": None,
                "ring_size": None,
                **{f"reason_{n}": reason for n, reason in enumerate(reasons, start=1)},
                "top_events": top_events,
                "bundle": bundle,
                "is_stale": False,
            }
        )
    return _table(rows, score_columns)


def _table(rows: list[dict[str, Any]], score_columns: Sequence[str]) -> "pa.Table":
    import pyarrow as pa

    kinds = {
        "day": pa.date32(),
        "rank": pa.int32(),
        "user_id": pa.string(),
        "picked_by": pa.string(),
        "propensity": pa.float64(),
        "risk": pa.float64(),
        "surprise_percentile": pa.float64(),
        **{column: pa.float64() for column in score_columns},
        "ring_id": pa.string(),
        "ring_size": pa.int32(),
        **{f"reason_{n}": pa.string() for n in range(1, REASONS + 1)},
        "top_events": pa.string(),
        "bundle": pa.string(),
        "is_stale": pa.bool_(),
    }
    return pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items())))


def _rounded(value: float | None) -> float | None:
    return round(value, DIGITS) + 0.0 if value is not None and isfinite(value) else None  # + 0.0: never "-0.0"
