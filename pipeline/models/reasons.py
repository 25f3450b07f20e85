"""Why an account is on the list: up to three sentences with the numbers an analyst needs."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

from pipeline.catalogue import FIELD_WORDS, LEARNED, Feature, features
from pipeline.safe_text import one_line

LIMIT = 3
LOUD_EVENT = 8.0  # nats from which a single event gets a sentence of its own

Contribution = tuple[str, float | None, float]  # feature, its value, its contribution


def sentences(
    row: Mapping[str, float | None],
    contributions: Sequence[Contribution],
    events: Sequence[Mapping[str, Any]],
    currency: str,
) -> list[str]:
    """The strongest reasons first: no two of one family, and no two with the same words.

    `row` has the user-day's features, `contributions` the evidence against it, `events` its most surprising events.
    Where the sequence model contributes most, its event is described instead of a number.
    """
    written: list[str] = []
    families: set[str] = set()
    event = _event_sentence(events[0], currency) if events else None
    strongest = sorted(contributions, key=lambda item: (-item[2], item[0]))
    for name, value, added in strongest:
        if added <= 0 or len(written) == LIMIT:
            break
        family = family_of(name)
        if family in families:
            continue
        families.add(family)
        sentence = event if family == "sequence" and event else sentence_of(name, value, row, currency)
        if sentence and sentence not in written:
            written.append(sentence)
    is_loud = bool(events) and float(events[0]["surprise"]) >= LOUD_EVENT
    if event and event not in written and (is_loud or len(written) < LIMIT):
        written = [event, *written] if is_loud else [*written, event]
    return written[:LIMIT]


def family_of(name: str) -> str:
    """Reasons of one family say much the same thing."""
    feature = features().get(name)
    return feature.family if feature else "sequence"


def sentence_of(name: str, value: float | None, row: Mapping[str, float | None], currency: str) -> str | None:
    """The sentence of one feature or learned column; None where a number it needs is unknown."""
    feature = features().get(name)
    if feature is None:
        return _learned_sentence(name, value)
    return fill(feature, row, currency)


def fill(feature: Feature, row: Mapping[str, float | None], currency: str) -> str | None:
    """Put a user-day's numbers into a feature's sentence. [Parts in brackets] are dropped where a number is missing."""

    def written(text: str) -> str | None:
        parts = []
        for literal, column in re.findall(r"([^{]*)(?:\{(\w+)\})?", text):
            parts.append(literal)
            if column:
                value = row.get(column)
                if value is None or not isfinite(value):
                    return None
                parts.append(in_words(value, features()[column].unit, currency))
        return "".join(parts)

    optional = re.split(r"\[([^\]]*)\]", feature.reason)
    texts = [written(part) for part in optional]
    if any(text is None for text in texts[::2]):
        return None
    return "".join(text for text in texts if text is not None)


def in_words(value: float, unit: str, currency: str) -> str:
    """A number as an analyst writes it: 1,234 · 14x · 23 % · 5 min · GBP 12.50."""
    if unit == "amount":
        return f"{currency} {value:,.2f}"
    if unit in ("count", "quantity"):
        return f"{value:,.0f}" if abs(value - round(value)) < 0.05 or abs(value) >= 100 else f"{value:,.1f}"
    if unit == "share":
        return f"{value:.0%}".replace("%", " %") if value >= 0.1 or value == 0 else f"{value:.1%}".replace("%", " %")
    if unit == "percentile":
        return f"{min(value, 0.999):.1%}".replace("%", " %")
    if unit == "times":
        return f"{value:,.0f}x" if value >= 10 else f"{value:.1f}x"
    if unit == "deviations":
        return f"{abs(value):,.1f} standard deviations"
    if unit == "days":
        return "1 day" if value == 1 else f"{value:,.0f} days"
    if unit == "hours":
        return duration(value * 3600)
    if unit == "seconds":
        return duration(value)
    raise ValueError(f"no words for the unit {unit!r}")


def duration(seconds: float) -> str:
    for size, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _learned_sentence(name: str, value: float | None) -> str | None:
    if name.startswith("score_"):
        return LEARNED["base_model"]
    if value is None or not isfinite(value):
        return None
    if name in LEARNED:
        shown = f"{value:.1f} times" if name == "surprise_own_excess" else f"{value:.1f}"
        return LEARNED[name].replace("{value}", shown)
    field = FIELD_WORDS[name.removeprefix("surprise_")]
    return LEARNED["surprise_field"].replace("{field}", field).replace("{value}", f"{value:.1f}")


def _event_sentence(event: Mapping[str, Any], currency: str) -> str:
    """One event in words: what, when, how much, and which fields surprised the sequence model."""
    at = datetime.fromisoformat(event["at"])
    parts = [f"{one_line(event['event_type'])} at {at:%H:%M} UTC"]
    if event.get("amount") is not None:
        parts.append(f"{currency} {event['amount']:,.2f}")
    if event.get("quantity") is not None:
        parts.append(f"{event['quantity']:,.0f} piece{'' if event['quantity'] == 1 else 's'}")
    loud = [name for name, nats in event["fields"].items() if nats > 1]
    fields = " and ".join(FIELD_WORDS.get(name, name) for name in loud[:2])
    about = f", mostly {fields}" if fields else ""
    return f"{', '.join(parts)}: far from its pattern ({event['surprise']:.1f} nats{about})"
