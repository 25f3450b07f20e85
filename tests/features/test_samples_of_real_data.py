"""A range equals its days on real events too: a sample of accounts of both data sets, through ingest."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import support

from pipeline import features, ingest
from pipeline.context import Run
from pipeline.domain import Domain
from pipeline.settings import Settings

DATASETS = os.environ.get("RISK_DATASETS")
pytestmark = pytest.mark.skipif(not DATASETS, reason="set RISK_DATASETS to the folder with retail/ and payments/")
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)

ACCOUNTS = {
    "retail": "customer_id in (select distinct customer_id from read_parquet('{file}') order by 1 limit 150)",
    "payments": "customer_id % 33 = 1 and transaction_at < timestamp '2018-06-20'",
}
FILES = {
    "retail": ("retail/online_retail.parquet", None),
    "payments": ("payments/transactions.parquet", "payments/frauds.parquet"),
}
FIRST = {"retail": date(2011, 10, 5), "payments": date(2018, 6, 9)}


def sample(name: str, folder: Path, parts: int) -> tuple[list[Path], list[Path]]:
    """The accounts' rows in `parts` files, each account in one of them, and their labels.

    Retail's repeated lines are told apart by their place in a file, so they must not be torn apart.
    """
    folder.mkdir()
    events, labels = FILES[name]
    with duckdb.connect() as con:
        source = Path(DATASETS, events)
        con.execute(f"create table rows as from read_parquet('{source}') where {ACCOUNTS[name].format(file=source)}")
        written = []
        for part in reversed(range(parts)):
            written.append(folder / f"part-{part}.parquet")
            con.execute(f"copy (from rows where hash(customer_id) % {parts} = {part}) to '{written[-1]}'")
        if labels:
            known = "transaction_id in (select transaction_id from rows)"
            con.execute(
                f"copy (from read_parquet('{Path(DATASETS, labels)}') where {known}) to '{folder}/labels.parquet'"
            )
    return written, [folder / "labels.parquet"] if labels else []


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_range_of_a_real_sample_gives_the_same_cells_as_its_days(name, tmp_path):
    domain = Domain.load(name)
    days = [FIRST[name], FIRST[name] + timedelta(days=1)]
    found = []
    for parts, ranges in ((1, [(days[0], days[-1])]), (3, [(day, day) for day in days])):
        settings = Settings(home=tmp_path / f"{parts}", threads=min(parts, 2))
        events, labels = sample(name, tmp_path / f"{parts} files", parts)
        for file in events:
            ingest.run(settings, domain, events=[file], labels=[], history=True)
        if labels:
            ingest.run(settings, domain, events=[], labels=labels, history=True)
        for first, last in ranges:
            features.run(Run(settings, domain, last, AS_OF), first)
        hashes = support.snapshot_hashes(settings.home)
        found.append({tuple(path.split("/")[:2]): sha256 for path, sha256 in hashes.items()})
    assert found[0] == found[1]
    assert len(found[0]) == len(days) + len(days) + 27
