"""Labels arrive late: verdicts within days, chargebacks within weeks. How much of a day is known by now?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.arrays import Doubles, Ints
from pipeline.metrics.reporting_delay import Arrivals, ReportingDelay
from pipeline.models.days import day_number
from pipeline.schemas import VERDICT

MOST_WEIGHT = 10.0  # of a known bad user-day: one that came early may not stand for more
SHOWN_AGES = 7, 14, 30  # days


@dataclass(frozen=True)
class LabelClock:
    """`known[age]`: share of a day's reports that have arrived `age` days later; 1 from the label delay on.

    Reports are all labels but verdicts': verdicts follow our own lists, so they say nothing of what is still to come.
    `wait_days`: days younger than this are not learned from. `reported`: share of the bad days that are ever reported.
    `by_source` has the sources with labels enough for a clock of their own, verdicts among them. `reports` is how many
    user-days the pace of reports was measured on; 0 where they were too few.

    Recent labels are incomplete, so a known bad user-day is up-weighted by 1 / share known.
    Chapelle, "Modeling delayed feedback in display advertising", KDD 2014, in its plainest form.
    """

    known: tuple[float, ...]
    wait_days: int = 0
    reported: float = 1.0
    by_source: Mapping[str, ReportingDelay] = field(default_factory=dict)
    reports: int = 0

    @classmethod
    def of(cls, arrivals: pa.Table, until: date, delay_days: int, learn_at: float = 1.0, reported: float = 1.0) -> Self:
        """From `label_arrivals` known by the end of `until`. With too few reports, 0 before the delay.

        A day is learned from once the share `learn_at` of its reports should be known.
        """
        by_source = {
            source: delay
            for source in arrivals.column("source").unique().to_pylist()
            if (delay := ReportingDelay.of(_of_source(arrivals, source, until), delay_days)) is not None
        }
        pooled = by_source.pop(None, None)
        if pooled is None:
            return cls((0.0,) * delay_days + (1.0,), delay_days, reported, by_source)
        return cls(pooled.known, pooled.days_until(learn_at), reported, by_source, pooled.labels)

    def weight(self, age: Ints, source: NDArray[np.str_]) -> Doubles:
        """Weight of known bad user-days of these ages in days, by the source that named them (n,).

        A source with few labels is taken for a report like the others. Verdicts weigh 1: none is on its way. They say
        since when an account is bad, so some are about days long ago.
        """
        known = np.array(self.known)[np.clip(age, 0, len(self.known) - 1)]
        for name, delay in self.by_source.items():
            is_of_source = source == name
            known[is_of_source] = delay.share_at(age[is_of_source])
        known[source == VERDICT] = 1.0
        weight: Doubles = 1 / np.maximum(known, 1 / MOST_WEIGHT)
        return weight

    def to_dict(self) -> dict[str, Any]:
        """For the manifest and the model card: what was measured, sources with most labels first."""
        by_labels = sorted(self.by_source.items(), key=lambda each: (-each[1].labels, each[0]))
        return {
            "wait_days": self.wait_days,
            "reports": self.reports,
            "reports_known": _at_shown_ages(self.known) if self.reports else None,
            "by_source": [
                {
                    "source": source,
                    "labels": delay.labels,
                    "median_days": delay.median_days,
                    "known": _at_shown_ages(delay.known),
                }
                for source, delay in by_labels
            ],
        }


def _at_shown_ages(known: tuple[float, ...]) -> dict[str, float]:
    return {str(age): round(known[min(age, len(known) - 1)], 4) for age in SHOWN_AGES}


def _of_source(arrivals: pa.Table, source: str | None, until: date) -> Arrivals:
    """Those of one source; of all reports if None."""
    column = arrivals.column("source")
    chosen = arrivals.filter(pa.compute.is_null(column) if source is None else pa.compute.equal(column, source))
    event_day, known_day = (
        chosen.column(name).cast(pa.int32()).to_numpy().astype(np.int64) for name in ("event_day", "known_day")
    )
    delay, age = known_day - event_day, day_number(until) - event_day
    return Arrivals(np.maximum(delay, 0), np.maximum(age, 0), chosen.column("user_days").to_numpy())


AT_ONCE = LabelClock((1.0,))
