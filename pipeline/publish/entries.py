"""The rows of a list: ranked, cut, with their reasons."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

from pipeline.domain import Domain
from pipeline.publish.ranking import Cut, RankedBy, cut_by_precision, cut_by_quiet_level, rank

if TYPE_CHECKING:
    import pyarrow as pa

Contribution = tuple[str, float | None, float]  # feature, its value, what it added
Sentences = Callable[[Mapping[str, float | None], list[Contribution], list[dict[str, Any]], str], list[str]]

REASONS = 3
SCORE_COLUMNS = ("user_id", "risk", "surprise", "surprise_percentile", "top_events")
DIGITS = 6  # of scores as published: the same in CSV, Parquet and PostgreSQL


@dataclass(frozen=True)
class Explanations:
    """What the reasons of a list's accounts are made of: features and contributions by user."""

    features: Mapping[str, Mapping[str, float | None]]
    contributions: Mapping[str, Sequence[Contribution]]
    currency: str
    sentences: Sentences

    def reasons(self, user: str, top_events: str) -> list[str | None]:
        """The user's reasons, most important first; None where there are fewer."""
        features, contributions = self.features.get(user, {}), list(self.contributions.get(user, ()))
        reasons = self.sentences(features, contributions, json.loads(top_events), self.currency)
        return [*reasons[:REASONS], *[None] * REASONS][:REASONS]


def choose(scores: "pa.Table", by: RankedBy, domain: Domain, list_size: int) -> tuple["pa.Table", Cut]:
    """The accounts to review, ranked, and where the list was cut."""
    ranked = rank(scores)
    if by == "risk":
        cut = cut_by_precision(ranked["risk"].to_pylist(), domain.min_precision, list_size)
        return ranked.slice(0, cut.length), cut
    cut = cut_by_quiet_level(ranked["surprise_percentile"].to_pylist(), domain.quiet_percentile, list_size)
    return ranked.slice(0, cut.length), cut


def assemble(day: date, chosen: "pa.Table", explanations: Explanations, bundle: str) -> "pa.Table":
    """The published rows: `chosen` in order, each with up to three reasons."""
    score_columns = sorted(column for column in chosen.column_names if column.startswith("score_"))
    rows = []
    for place, score in enumerate(chosen.to_pylist(), start=1):
        user = score["user_id"]
        top_events = score.get("top_events") or "[]"
        reasons = explanations.reasons(user, top_events)
        rows.append(
            {
                "day": day,
                "rank": place,
                "user_id": user,
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
