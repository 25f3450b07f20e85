from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import feedback
from pipeline.domain import Domain
from pipeline.settings import Settings

DAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
RETAIL = Domain(name="retail", currency="GBP", timezone="Europe/London", event_types={"purchase": "purchase"})
HEADER = "day,user_id,verdict,typology,note,analyst,decided_at"


@pytest.fixture
def home(tmp_path):
    """A home with one list of three accounts, and an older revision of it that named one more."""
    home = tmp_path / "home"
    for revision, users in {"aaa": ["ann", "bob", "=cat"], "bbb": ["ann", "old"]}.items():
        folder = home / "lists" / "revisions" / f"day={DAY}" / revision
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"user_id": users, "day": [DAY] * len(users)}), folder / "risk_list.parquet")
    return home


@pytest.fixture
def settings(home):
    return Settings(home=home, now=NOW)


@pytest.fixture
def take(settings, tmp_path):
    """Feeds lines back as a verdict file; gives the receipt."""

    def take_lines(*lines, name="verdicts.csv", header=HEADER, using=settings):
        path = tmp_path / name
        content = "\n".join([header, *lines, ""])
        path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogateescape"))
        return feedback.run(using, RETAIL, path)

    return take_lines
