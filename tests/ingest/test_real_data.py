"""The two real inputs, through the packs that ship with Dawnlist."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from deliveries import Shop

from pipeline import ingest
from pipeline.domain import Domain

DATASETS = Path(os.environ.get("RISK_DATASETS", ""))
needs_data = pytest.mark.skipif(
    not os.environ.get("RISK_DATASETS") or not DATASETS.is_dir(), reason="set RISK_DATASETS to the folder of data sets"
)


@pytest.mark.slow
@needs_data
def test_online_retail_adds_up(tmp_path: Path) -> None:
    shop = Shop(tmp_path, Domain.load("retail"), threads=2)
    receipt = shop.ingest(DATASETS / "retail" / "online_retail.parquet", history=True)
    assert (receipt.read, receipt.accepted, receipt.refused, receipt.duplicates) == (541_909, 406_829, 135_080, 0)
    assert receipt.details["reasons"] == {"missing user_id": 135_080}
    assert len(receipt.details["days"]) == 305
    lake = duckdb.sql(f"from read_parquet('{shop.home}/lake/events/*/*.parquet')")
    assert lake.aggregate("count(*), count(distinct event_id)").fetchall() == [(406_829, 406_829)]
    roles = dict(lake.aggregate("role, count(*)").fetchall())
    assert sum(roles.values()) == 406_829
    assert set(roles) == {"purchase", "refund", "adjustment"}
    assert pq.read_metadata(next((shop.home / "quarantine").iterdir())).num_rows == 135_080


@pytest.mark.slow
@needs_data
def test_retail_lines_written_as_csv_give_the_same_events(tmp_path: Path) -> None:
    whole = f"from read_parquet('{DATASETS}/retail/online_retail.parquet') limit 20000"
    duckdb.sql(f"copy ({whole}) to '{tmp_path}/lines.csv'")
    duckdb.sql(f"copy ({whole}) to '{tmp_path}/lines.parquet' (format parquet)")
    contents = []
    for name in ("lines.csv", "lines.parquet"):
        shop = Shop(tmp_path / name.replace(".", "-"), Domain.load("retail"))
        shop.ingest(tmp_path / name)
        contents.append([{k: v for k, v in row.items() if k != "batch_id"} for row in shop.events()])
    assert contents[0] == contents[1]
    assert len(contents[0]) > 10_000


@pytest.mark.slow
@needs_data
def test_payments_and_their_labels_add_up(tmp_path: Path) -> None:
    shop = Shop(tmp_path, Domain.load("payments"))
    month = tmp_path / "month.parquet"
    source = f"{DATASETS}/payments/transactions.parquet"
    duckdb.sql(f"copy (from '{source}' where transaction_at < '2018-04-11') to '{month}' (format parquet)")
    frauds = DATASETS / "payments" / "frauds.parquet"
    receipt = ingest.run(shop.settings, shop.domain, events=[month], labels=[frauds], history=True)
    assert receipt.refused == receipt.duplicates == 0
    assert receipt.details["accepted_labels"] == 10_659
    assert receipt.details["days"][-1] == "2018-04-10"
    first = min(shop.events(), key=lambda row: int(row["event_id"]))
    assert (first["user_id"], first["counterparty_id"], first["amount"]) == ("596", "3156", Decimal("57.16"))
    label = shop.labels()[0]
    assert (label["known_at"] - label["happened_at"]).days == 7
    assert label["arrived_at"] == label["known_at"]
    assert label["happened_at"].date() >= date(2018, 4, 1)
