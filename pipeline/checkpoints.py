"""A checkpoint: Great Expectations validates small tables of one day. A critical finding stops the day.

reports/day=D/<checkpoint>.json            what was expected and found; replaced when the day is validated again
reports/day=D/as_of=T/<checkpoint>.json    the same for a day validated again as of an earlier moment
"""

import math
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

import expectations  # noqa: F401 - switches telemetry and chatter off before Great Expectations is imported
from pipeline.context import Run
from pipeline.errors import CheckpointFailedError
from pipeline.storage.files import publish, read_model, scratch

if TYPE_CHECKING:
    import great_expectations as gx
    import pandas as pd

Checkpoint = Literal["events", "user_days", "risk_list"]
Outcome = Literal["passed", "warning", "critical", "accepted"]
CHECKPOINTS: tuple[Checkpoint, ...] = ("events", "user_days", "risk_list")
MAX_SHOWN = 5


class Finding(BaseModel):
    """One expectation and its outcome. `name` is table.column; several rules may share it."""

    model_config = ConfigDict(frozen=True)

    name: str
    rule: str
    outcome: Outcome
    seen: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.seen}, expected {self.rule}. {self.why}"


class Report(BaseModel):
    """All findings of one checkpoint about one day, as of `as_of`."""

    model_config = ConfigDict(frozen=True)

    checkpoint: Checkpoint
    day: date
    domain: str
    has_failed: bool
    findings: list[Finding]
    seen: dict[str, Any] = {}
    compared_with: list[date] = []
    as_of: datetime | None = None
    is_replay: bool = False  # `as_of` is earlier than that of the day's latest report

    @property
    def warnings(self) -> list[str]:
        shown = [f for f in self.findings if f.outcome in ("warning", "accepted")]
        return [f"{self.checkpoint}: {'accepted by hand: ' if f.outcome == 'accepted' else ''}{f}" for f in shown]

    @property
    def critical(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.outcome == "critical"]


def report_path(home: Path, day: date, checkpoint: Checkpoint, replayed: datetime | None = None) -> Path:
    folder = home / "reports" / f"day={day}"
    if replayed is not None:
        folder /= f"as_of={replayed.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"
    return folder / f"{checkpoint}.json"


def read_report(home: Path, day: date, checkpoint: Checkpoint, as_of: datetime | None = None) -> Report | None:
    """The report of a replay at `as_of` if there is one, else the latest report."""
    replay = report_path(home, day, checkpoint, as_of)
    path = replay if as_of and replay.is_file() else report_path(home, day, checkpoint)
    return read_model(path, Report) if path.is_file() else None


def write_report(home: Path, report: Report, as_of: datetime) -> Report:
    """Write a report. One with an earlier `as_of` than the latest report is stored beside it, not in its place."""
    last = read_report(home, report.day, report.checkpoint)
    is_replay = last is not None and last.as_of is not None and as_of < last.as_of
    path = report_path(home, report.day, report.checkpoint, as_of if is_replay else None)
    with scratch(home, "checkpoints") as aside:  # a killed run leaves nothing among the reports
        dated = report.model_copy(update={"as_of": as_of, "is_replay": is_replay})
        (aside / "report.json").write_text(dated.model_dump_json(indent=2) + "\n")
        publish(aside / "report.json", path)
    return dated


def has_failed(home: Path, day: date, checkpoint: Checkpoint, as_of: datetime | None = None) -> bool:
    report = read_report(home, day, checkpoint, as_of)
    return report is not None and report.has_failed


def fail_if_critical(report: Report, accept: Collection[str] = ()) -> None:
    """Raises CheckpointFailedError naming each critical finding: what was found, what was expected, what to do."""
    if not report.has_failed:
        return
    subject = {"events": "the events", "user_days": "the user-days", "risk_list": "the risk list"}[report.checkpoint]
    names = sorted({finding.name for finding in report.critical})
    unknown = sorted(set(accept) - {finding.name for finding in report.findings})
    path = report_path(Path(), report.day, report.checkpoint, report.as_of if report.is_replay else None)
    raise CheckpointFailedError(
        f"{subject} of {report.day}: {len(report.critical)} critical expectation(s) failed, the day stops here",
        *(str(finding) for finding in report.critical),
        *(f"--accept {name}: nothing was found here under that name" for name in unknown),
        fix=f"see {path}; correct the day's files and ingest them, then run the day "
        f"again. If the day really was like this, run it with --accept {','.join(names)}",
    )


def validate(
    run: Run,
    checkpoint: Checkpoint,
    tables: Sequence[tuple[str, "pd.DataFrame", "gx.ExpectationSuite"]],
    *,
    seen: dict[str, Any],
    compared_with: Sequence[date] = (),
) -> Report:
    """Validate named tables with their suites. A table's first column names its rows in the report.

    Critical findings that the run accepts are reported, but do not stop the day.
    """
    findings = [finding for name, table, suite in tables for finding in _findings(name, table, suite, run.accept)]
    return Report(
        checkpoint=checkpoint,
        day=run.day,
        domain=run.domain.name,
        has_failed=any(finding.outcome == "critical" for finding in findings),
        findings=_without_echoes(findings),
        seen=seen,
        compared_with=list(compared_with),
    )


def _findings(name: str, table: "pd.DataFrame", suite: "gx.ExpectationSuite", accept: Collection[str]) -> list[Finding]:
    batch = _batches().get_batch({"dataframe": table})
    label = str(table.columns[0])
    result = batch.validate(suite, result_format="BOOLEAN_ONLY")
    if not result.success:  # details cost as much again, so only a failed table pays for them
        form = {"result_format": "SUMMARY", "unexpected_index_column_names": [label]}
        result = batch.validate(suite, result_format=form)
    findings = []
    for item in result.results:
        config = item.expectation_config
        about = f"{name}.{config.kwargs.get('column', 'rows')}"
        if item.success:
            outcome: Outcome = "passed"
        elif str(config.severity.value) != "critical":
            outcome = "warning"
        else:
            outcome = "accepted" if about in accept else "critical"
        if any(_raised(item.exception_info)):
            raise AssertionError(f"expectation on {about} could not be validated: {_raised(item.exception_info)[0]}")
        seen = _seen(item.result, table, config.kwargs, label)
        notes = config.notes if isinstance(config.notes, str) else " ".join(config.notes or ())
        findings.append(Finding(name=about, rule=_rule(config), outcome=outcome, seen=seen, why=notes))
    return sorted(findings, key=lambda finding: (finding.name, finding.rule, finding.why))


def _without_echoes(findings: list[Finding]) -> list[Finding]:
    """Drop warnings about a value that is critical as well."""
    loud = {finding.name for finding in findings if finding.outcome in ("critical", "accepted")}
    return [finding for finding in findings if not (finding.outcome == "warning" and finding.name in loud)]


def _raised(info: dict[str, Any]) -> list[str]:
    """Messages of raised exceptions: Great Expectations returns one record, or one per failed metric."""
    records = [info] if "raised_exception" in info else list(info.values())
    return [str(record.get("exception_message")) for record in records if record.get("raised_exception")]


def _rule(config: Any) -> str:
    low, high = config.kwargs.get("min_value"), config.kwargs.get("max_value")
    if config.kwargs.get("strict_min"):
        return f"above {number(low)}, at most {number(high)}"
    if low is not None and high is not None:
        return f"{number(low)} to {number(high)}"
    if low is not None or high is not None:
        return f"at least {number(low)}" if low is not None else f"at most {number(high)}"
    words = str(config.type).removeprefix("expect_").removeprefix("column_values_").replace("_", " ")
    return words.removeprefix("column ")


def _seen(result: dict[str, Any], table: "pd.DataFrame", kwargs: dict[str, Any], label: str) -> str:
    """What was found, in a few words: values of named rows for small tables, counts for the rest."""
    column = kwargs.get("column")
    if "observed_value" in result:
        return number(result["observed_value"])
    if column is not None and label == "table":
        return number(table[column].iloc[0])
    unexpected = int(result.get("unexpected_count") or 0)
    if unexpected == 0:
        return "as expected"
    rows = result.get("partial_unexpected_index_list") or []
    if column is None or label in ("user_id", column):  # never name accounts
        return f"{unexpected} of {result.get('element_count', len(table))} rows"
    shown = sorted(f"{row[label]} {number(row[column])}" for row in rows if column in row)
    return ", ".join(shown[:MAX_SHOWN]) + (f" and {unexpected - MAX_SHOWN} more" if unexpected > MAX_SHOWN else "")


def number(value: Any) -> str:
    """A number as a person writes it; anything else as it is."""
    try:
        plain = float(value)
    except (TypeError, ValueError):
        return str(value)
    if math.isnan(plain):
        return "not known"
    return f"{plain:,.0f}" if abs(plain) >= 100 or plain == int(plain) else f"{plain:.3g}"


@lru_cache(maxsize=1)
def _batches() -> Any:
    """Great Expectations without files or progress bars. Slow to create, so created once."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("day").add_dataframe_asset("table")
    return asset.add_batch_definition_whole_dataframe("whole")
