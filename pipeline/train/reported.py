"""The share of bad accounts that the business's own reports ever name, from accounts that people reviewed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.context import Run
from pipeline.metrics.recapture import LEAST_BOTH, Recapture
from pipeline.metrics.reported import (
    Prior,
    ReportedShare,
    Reviewed,
    by_source,
    by_typology,
    doubted,
)
from pipeline.models.labels import UNNAMED
from pipeline.schemas import VERDICT
from pipeline.sql import parquet
from pipeline.storage import lake
from pipeline.storage.files import read_json
from pipeline.warehouse import connect

MOST_PAIRS = 3  # of sources, those that share most accounts


@dataclass(frozen=True)
class Reported:
    """The share of what is bad that is reported: in all, of each typology, and by each source.

    `between_sources` checks it without any review. The calibration uses the pooled share, and nothing else here.
    """

    pooled: ReportedShare
    by_typology: Mapping[str, ReportedShare]
    by_source: Mapping[str, ReportedShare]
    between_sources: tuple[Recapture, ...]

    @classmethod
    def of(
        cls, reviewed: pa.Table, assumed: float, error: float = 0.0, between_sources: tuple[Recapture, ...] = ()
    ) -> Self:
        """From accounts confirmed to be bad, one row each, as REVIEWED. `error`: share of verdicts that are wrong."""
        named_by = reviewed.column("sources").to_pylist()
        is_reported = np.array([bool(sources) for sources in named_by], np.bool_)
        risk = reviewed.column("risk").to_numpy(zero_copy_only=False).astype(np.float64)
        everything_right = Reviewed(
            is_reported=is_reported,
            propensity=reviewed.column("propensity").to_numpy(),
            is_audit=reviewed.column("is_audit").to_numpy().astype(np.bool_),
            chance_bad=np.ones(len(risk)),
        )
        accounts, pooled = doubted(everything_right, risk, error, Prior(assumed))
        typology = reviewed.column("typology").to_numpy()
        each_source = sorted({source for sources in named_by for source in sources})
        flags = ((name, np.array([name in sources for sources in named_by], np.bool_)) for name in each_source)
        return cls(pooled, by_typology(accounts, typology, pooled), by_source(accounts, flags), between_sources)

    def to_dict(self) -> dict[str, Any]:
        """For the manifest and the model card: all but the pooled share."""
        return {
            "by_typology": [{"typology": name, **_rounded(share)} for name, share in self.by_typology.items()],
            "by_source": [{"source": name, **_rounded(share)} for name, share in self.by_source.items()],
            "between_sources": [
                {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(pair).items()}
                for pair in self.between_sources
            ],
        }


def _rounded(share: ReportedShare) -> dict[str, float | int]:
    parts = {name: round(getattr(share, name), 4) for name in ("share", "low", "high")}
    return {**parts, "reviewed": share.reviewed, "audited": share.audited}


REVIEWED = pa.schema(
    [
        ("propensity", pa.float64()),
        ("is_audit", pa.bool_()),
        ("risk", pa.float64()),  # that it was listed with, if any
        ("typology", pa.string()),
        ("sources", pa.list_(pa.string())),  # that named it as well
    ]
)


def reported_by(run: Run) -> Reported:
    """As known at the end of the run's day. Without a reviewed bad account it is the pack's assumption.

    A confirmed account counts as reported if a label of another source calls something bad that it did in the time
    that was confirmed. Lists of days whose reports may still come are left out.
    """
    home, assumed = run.home, run.domain.reported_share
    labels = [home / file.path for file in lake.label_files(home)]
    if not labels:
        return Reported.of(REVIEWED.empty_table(), assumed)
    reports = f"""
        select user_id, cast(happened_at as date) as bad_day, coalesce(source, '{UNNAMED}') as source
        from {parquet(labels)}
        where is_bad and source is distinct from '{VERDICT}' and known_at < $known_before and arrived_at <= $as_of
    """
    parameters = {
        "known_before": lake.end_of(run.day).replace(tzinfo=None),
        "as_of": run.as_of.replace(tzinfo=None),
        "last": run.day - timedelta(days=run.domain.label_delay_days),
    }
    with connect(run.settings) as con:
        pairs = _between_sources(con, reports, parameters | {"first": run.first_training_day})
        return Reported.of(_reviewed(run, con, reports, parameters), assumed, run.domain.review_error, pairs)


def _reviewed(run: Run, con: duckdb.DuckDBPyConnection, reports: str, parameters: Mapping[str, Any]) -> pa.Table:
    """Confirmed accounts of the lists, one row each, in order of accounts."""
    home = run.home
    committed = (lake.verdict_path(home, batch.batch_id) for batch in lake.batches(home, "labels"))
    verdicts = [path for path in committed if path.is_file()]
    lists = _first_lists(run)
    if not (verdicts and lists):
        return REVIEWED.empty_table()
    rows = con.sql(
        f"""
        with judged as (
            select user_id, day, verdict, typology, coalesce(cast(since as date), day) as first_day
            from {parquet(verdicts)}
            where decided_at < $known_before and arrived_at <= $as_of and day <= $last
                and verdict <> 'unsure' and (verdict = 'confirmed' or scope <> 'event')
            qualify row_number() over (
                partition by user_id, day order by decided_at desc, verdict, first_day
            ) = 1
        ),
        listed as (
            select user_id, day, propensity, picked_by = 'audit' as is_audit, risk from {parquet(lists)}
        ),
        confirmed as (
            select *
            from judged join listed using (user_id, day)
            where verdict = 'confirmed'
            qualify row_number() over (partition by user_id order by day) = 1
        ),
        reports as ({reports})
        select
            any_value(propensity) as propensity,
            any_value(is_audit) as is_audit,
            any_value(risk) as risk,
            any_value(typology) as typology,
            coalesce(list(distinct source order by source) filter (where source is not null), []) as sources
        from confirmed
        left join reports
            on confirmed.user_id = reports.user_id and bad_day between confirmed.first_day and confirmed.day
        group by confirmed.user_id
        order by confirmed.user_id
        """,
        params=dict(parameters),
    )
    return rows.to_arrow_table().cast(REVIEWED)


def _between_sources(
    con: duckdb.DuckDBPyConnection, reports: str, parameters: Mapping[str, Any]
) -> tuple[Recapture, ...]:
    """Pairs of sources that name the same accounts, about matured days of the training, most accounts first."""
    pairs = con.sql(
        f"""
        with named as (
            select distinct user_id, source from ({reports}) where bad_day between $first and $last
        ),
        totals as (select source, count(*) as accounts from named group by source)
        select
            firsts.source,
            seconds.source,
            (select accounts from totals where totals.source = firsts.source),
            (select accounts from totals where totals.source = seconds.source),
            count(*) as in_both
        from named as firsts
        join named as seconds on firsts.user_id = seconds.user_id and firsts.source < seconds.source
        group by firsts.source, seconds.source
        having count(*) >= {LEAST_BOTH}
        order by in_both desc, firsts.source, seconds.source
        limit {MOST_PAIRS}
        """,
        params=dict(parameters),
    ).fetchall()
    found = (Recapture.of((first, second), n, m, both) for first, second, n, m, both in pairs)
    return tuple(recapture for recapture in found if recapture is not None)


def _first_lists(run: Run) -> list[Path]:
    """The list of each day as it was published first: the one that reviewers began with. Later ones draw anew."""
    first: dict[str, tuple[datetime, Path]] = {}
    for path in sorted((run.home / "lists" / "revisions").glob("day=*/*/manifest.json")):
        published = datetime.fromisoformat(read_json(path)["as_of"])
        day = path.parent.parent.name
        if published <= run.as_of and (day not in first or published < first[day][0]):
            first[day] = published, path.with_name("risk_list.parquet")
    return [path for _, path in first.values()]
