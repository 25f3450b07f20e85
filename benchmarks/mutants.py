"""Would the tests notice? Thirty faults a developer could make, each put into a copy of the project, one at a time.

    python benchmarks/mutants.py [--only NAME]

A fault counts as caught if the first test that fails with it passes without it. Ends with 1 if fewer than 27 are
caught, or if the fault named by --only is not. Where the code has changed so that a fault's original is no longer in
its file, the run ends: write the fault anew.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
WANTED = 27
PASSED, FAILED = 0, 1  # pytest's exit codes


@dataclass(frozen=True)
class Mutant:
    """`original`, which occurs once in `file`, becomes `mutated`. `tests`, from tests/ on, should notice."""

    name: str
    file: str
    original: str
    mutated: str
    fault: str
    tests: str


MUTANTS = (
    # ingest
    Mutant(
        "csv-inside-quotes",
        "pipeline/ingest/formats/csv_rows.py",
        'is_whole = rows.is_between and (block.endswith(b"\\n") or self.blocks.is_at_end)',
        'is_whole = block.endswith(b"\\n") or self.blocks.is_at_end',
        "a block that begins inside quotes is read as rows: events are forged",
        "ingest/formats/test_forged_rows.py ingest/formats/test_formats.py",
    ),
    Mutant(
        "csv-too-many-fields",
        "pipeline/ingest/formats/csv_rows.py",
        "if len(record) != width:",
        "if len(record) < width:",
        "a row with a field too many is accepted",
        "ingest/test_refusals.py ingest/formats/test_formats.py",
    ),
    Mutant(
        "parquet-year-10000",
        "pipeline/ingest/formats/parquet_cells.py",
        "pc.greater_equal(ticks, after)",
        "pc.greater(ticks, after)",
        "the first moment after the calendar is taken for a time",
        "ingest/formats/test_odd_cells.py ingest/test_refusals.py",
    ),
    Mutant(
        "contract-known-at-once",
        "pipeline/ingest/row_checks.py",
        "when known_at < happened_at then",
        "when known_at <= happened_at then",
        "a label known at the moment it is about is refused",
        "ingest/test_label_files.py",
    ),
    Mutant(
        "contract-zone-turned-round",
        "pipeline/ingest/values.py",
        "at time zone {literal(timezone)} at time zone 'UTC')",
        "at time zone 'UTC' at time zone {literal(timezone)})",
        "local times move away from UTC instead of to it",
        "ingest/formats/test_formats.py",
    ),
    Mutant(
        "store-null-is-not-null",
        "pipeline/ingest/store.py",
        "staged.{name} is not distinct from earlier.{name}",
        "staged.{name} = earlier.{name}",
        "a label about a whole day is taken again from every file that repeats it",
        "ingest/test_label_files.py ingest/test_identity.py",
    ),
    Mutant(
        "pseudonym-without-column",
        "pipeline/ingest/pseudonyms.py",
        ' + column.encode() + b"\\0"',
        "",
        "equal values of two columns can be linked by their pseudonyms",
        "ingest/test_pseudonyms.py",
    ),
    Mutant(
        "landing-hidden-folders",
        "pipeline/ingest/landing.py",
        'if entry.name.startswith("."):',
        'if entry.name.startswith(".") and entry.is_file():',
        "files in the hidden folder of a sync tool are ingested",
        "ingest/test_landing.py",
    ),
    Mutant(
        "load-commit-first",
        "pipeline/ingest/load.py",
        """\
        for aside, file in written:
            publish(aside, self.home / file.path)
        quarantine.publish(store.quarantine_path(self.home, batch.kind, batch.batch_id))
        lake.commit(self.home, batch)
""",
        """\
        lake.commit(self.home, batch)
        for aside, file in written:
            publish(aside, self.home / file.path)
        quarantine.publish(store.quarantine_path(self.home, batch.kind, batch.batch_id))
""",
        "a batch counts before its files are in place",
        "ingest/test_crashes.py",
    ),
    Mutant(
        "load-label-arrives-early",
        "pipeline/ingest/load.py",
        '"known_at" if self.is_history',
        '"happened_at" if self.is_history',
        "an old label counts as arrived before anybody knew it",
        "ingest/test_label_files.py ingest/test_identity.py",
    ),
    # features
    Mutant(
        "events-at-as-of",
        "dbt_project/models/staging/stg_events.sql",
        "where arrived_at <= timestamp",
        "where arrived_at < timestamp",
        "an event that arrived at as_of is not seen",
        "features/test_invariants.py",
    ),
    Mutant(
        "labels-of-next-day",
        "dbt_project/models/staging/stg_labels.sql",
        "partition by user_id, coalesce(event_id, ''), event_day",
        "partition by user_id, coalesce(event_id, '')",
        "a label of one day overrules that of another",
        "features/test_naive.py",
    ),
    Mutant(
        "labels-a-day-early",
        "dbt_project/models/intermediate/history/int_label_history.sql",
        "and bad.known_at < {{ days_after('todays.event_day', 1) }}",
        "and bad.known_at < {{ days_after('todays.event_day', 2) }}",
        "labels are known a day early",
        "features/test_naive.py",
    ),
    Mutant(
        "window-of-27-days",
        "dbt_project/macros/days.sql",
        "{{ earlier }} >= {{ days_after(later, -n) }}",
        "{{ earlier }} > {{ days_after(later, -n) }}",
        "the oldest day of a window is left out",
        "features/test_naive.py",
    ),
    Mutant(
        "hours-in-utc",
        "dbt_project/macros/engine.sql",
        """hour(timezone('{{ var("timezone") }}', {{ timestamp }}::timestamptz))""",
        "hour({{ timestamp }})",
        "night is night in London, wherever the shop is",
        "features/test_naive.py",
    ),
    Mutant(
        "first-day-from-the-future",
        "dbt_project/models/intermediate/history/int_first_days.sql",
        """\
        arrived_at <= timestamp '{{ var("as_of") }}'
        and pair_key in""",
        "        pair_key in",
        "an event that arrives later changes what was new",
        "features/test_naive.py",
    ),
    Mutant(
        "account-counted-twice",
        "dbt_project/models/intermediate/entities/int_entity_users.sql",
        "todays.event_day < stretches.until_day",
        "todays.event_day <= stretches.until_day",
        "an account that uses a device again counts as two",
        "features/test_naive.py",
    ),
    Mutant(
        "identity-without-zone",
        "pipeline/features/identity.py",
        '            "timezone": domain.timezone,\n',
        "",
        "features stay as they were when the pack's time zone changes",
        "features/test_features_identity.py",
    ),
    Mutant(
        "memo-notes-new-only",
        "pipeline/storage/memo.py",
        "        shelf.note(key, made_id)\n        made[key] = ",
        "        if key in missing:\n            shelf.note(key, made_id)\n        made[key] = ",
        "a day that became again what it once was shows what it was in between",
        "features/test_invariants.py",
    ),
    Mutant(
        "snapshot-named-first",
        "pipeline/storage/snapshots.py",
        """\
        publish(aside, target)
        write_atomically(target.with_suffix(".json"), made.model_dump_json(indent=2) + "\\n")
""",
        """\
        write_atomically(target.with_suffix(".json"), made.model_dump_json(indent=2) + "\\n")
        publish(aside, target)
""",
        "killed in between, a snapshot is there without its rows",
        "storage/test_snapshots.py",
    ),
    # publish
    Mutant(
        "rank-last-name-first",
        "pipeline/publish/ranking.py",
        '("user_id", "ascending", "at_end")',
        '("user_id", "descending", "at_end")',
        "equals stand in the opposite of their stated order",
        "publish/test_ranking.py",
    ),
    Mutant(
        "cut-without-tolerance",
        "pipeline/publish/ranking.py",
        "if precision + TOLERANCE >= min_precision:",
        "if precision >= min_precision:",
        "rounding shortens a list that reaches its precision exactly",
        "publish/test_ranking.py",
    ),
    Mutant(
        "entries-minus-zero",
        "pipeline/publish/entries.py",
        "return round(value, DIGITS) + 0.0 if",
        "return round(value, DIGITS) if",
        "a list says -0.0",
        "publish/test_publishing.py",
    ),
    Mutant(
        "link-gone-for-a-moment",
        "pipeline/publish/revisions.py",
        "    aside.symlink_to(target)\n    aside.replace(link)\n",
        "    link.unlink(missing_ok=True)\n    link.symlink_to(target)\n",
        "between two revisions a reader finds no list",
        "publish/test_publishing.py",
    ),
    Mutant(
        "choice-not-flushed",
        "pipeline/publish/revisions.py",
        "publish(aside / note.name, note)",
        "(aside / note.name).replace(note)",
        "after a power cut the link may show one revision and the note another",
        "publish/test_publishing.py",
    ),
    Mutant(
        "manifest-without-wording",
        "pipeline/publish/manifest.py",
        '        "wording": wording_digest(),\n',
        "",
        "a list with other sentences has the name of the one before",
        "publish/test_publishing.py",
    ),
    Mutant(
        "name-as-markup",
        "pipeline/publish/outputs.py",
        'Text(one_line(row["user_id"]))]',
        'one_line(row["user_id"])]',
        "an account's name is read as markup by the terminal",
        "publish/test_showing.py",
    ),
    Mutant(
        "formula-after-semicolon",
        "pipeline/safe_text.py",
        'return _AFTER_SEMICOLON.sub(r"\\1\'\\2", line)',
        "return line",
        "a spreadsheet that separates at semicolons runs a formula",
        "test_safe_text.py",
    ),
    Mutant(
        "postgres-other-domains",
        "pipeline/publish/postgres.py",
        'where domain = %s and day between %s and %s "',
        'where domain is distinct from %s || chr(0) and day between %s and %s "',
        "publishing one domain's list deletes another's rows",
        "publish/test_postgres.py",
    ),
    Mutant(
        "report-of-the-same-moment",
        "pipeline/checkpoints.py",
        "as_of < last.as_of",
        "as_of <= last.as_of",
        "a day judged again at the same moment keeps its old report",
        "validate/test_events_checkpoint.py",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant. `failed` is the first test that did; `seconds` are the processor's."""

    mutant: Mutant
    failed: str | None
    is_fair: bool  # the test passes without the fault
    seconds: float

    @property
    def is_caught(self) -> bool:
        return self.failed is not None and self.is_fair

    def __str__(self) -> str:
        if self.failed is None:
            verdict = f"SURVIVED {self.mutant.tests}: {self.mutant.fault}"
        else:
            verdict = f"caught by {self.failed}" if self.is_fair else f"UNKNOWN: {self.failed} fails without it, too"
        return f"{self.mutant.name:26} {self.seconds:6.1f} s  {verdict}"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", metavar="NAME", choices=[mutant.name for mutant in MUTANTS])
    only = options.parse_args().only
    chosen = [mutant for mutant in MUTANTS if only in (None, mutant.name)]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = copy_of_project(Path(folder) / "project")
        for mutant in chosen:
            outcomes.append(try_out(mutant, copy))
            print(outcomes[-1], flush=True)
    caught = sum(outcome.is_caught for outcome in outcomes)
    print(f"{caught} of {len(outcomes)} caught, {sum(outcome.seconds for outcome in outcomes):.0f} s of processor time")
    return 0 if caught >= min(WANTED, len(chosen)) else 1


def copy_of_project(target: Path) -> Path:
    """The files that git knows, as they are now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name)
    return target


def try_out(mutant: Mutant, copy: Path) -> Outcome:
    before, failed, is_fair = _processor_seconds(), None, True
    shutil.rmtree(copy / ".pytest_cache", ignore_errors=True)
    with applied(mutant, copy):
        is_noticed = pytest(copy, mutant) == FAILED
    if is_noticed:
        failed = next(iter(json.loads((copy / ".pytest_cache/v/cache/lastfailed").read_text()))).removeprefix("tests/")
        is_fair = pytest(copy, mutant, "--last-failed") == PASSED
    return Outcome(mutant, failed, is_fair, _processor_seconds() - before)


@contextmanager
def applied(mutant: Mutant, copy: Path) -> Iterator[None]:
    path = copy / mutant.file
    text = path.read_text()
    if text.count(mutant.original) != 1:
        raise SystemExit(f"{mutant.name}: its original is {text.count(mutant.original)} times in {mutant.file}")
    path.write_text(text.replace(mutant.original, mutant.mutated))
    try:
        yield
    finally:
        path.write_text(text)


def pytest(copy: Path, mutant: Mutant, *options: str) -> int:
    """Run the mutant's tests in the copy. Raises if they could not be run."""
    command: Sequence[str] = [sys.executable, "-m", "pytest", "-x", "-q", *options]
    tests = [f"tests/{name}" for name in mutant.tests.split()]
    # without bytecode: a file that is changed twice a second would be taken for the one before
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *tests], cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode not in (PASSED, FAILED):
        raise SystemExit(f"{mutant.name}: pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
