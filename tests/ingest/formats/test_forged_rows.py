"""Nobody who writes into one field can make rows of his own, or have a row refused that is not his."""

import csv
import gzip
import io
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from deliveries import Shop, as_csv, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.ingest.formats.blocks import Blocks
from pipeline.ingest.formats.csv_rows import CsvRows
from pipeline.ingest.refusals import MAX_ROW
from pipeline.storage import lake

pytestmark = pytest.mark.slow

FORGED = "f,victim,2026-11-20T10:00:00Z,purchase,9,\n"
NOTES = {
    "many lines": FORGED * 60,
    "many blank lines": "\n" * 5000 + FORGED,
    "very many lines": "\n" * (MAX_ROW - 1000) + FORGED,
    "a line longer than a row may be": "x" * (MAX_ROW + 1) + "\n" + FORGED,
    "more lines than a row may have bytes": "\n" * (MAX_ROW + 1) + FORGED,
    "a row of many blocks": ("x" * 100_000 + '"\n') * 40 + FORGED,
    "carriage returns": ("\r" + FORGED) * 60,
    "quotes and delimiters": '",""\n",\n' * 30 + FORGED,
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
@pytest.mark.parametrize("block", [1000, 2**24])
def test_no_line_of_a_quoted_field_is_a_row(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, note: str, name: str, block: int
) -> None:
    monkeypatch.setattr(
        "pipeline.ingest.formats.blocks.Blocks.__init__.__defaults__", (block if len(note) < 10**5 else 2**18,)
    )
    content = as_csv([event("a", note=""), event("mine", note=note), event("z", note="")])
    receipt = shop.deliver(gzip.compress(content, 1) if name.endswith("gz") else content, name)
    is_long = len(note) + note.count('"') > MAX_ROW - 100
    assert [row["event_id"] for row in shop.events()] == (["a", "z"] if is_long else ["a", "mine", "z"])
    assert shop.reasons() == ([(3, "line_too_long", None)] if is_long else [])
    assert receipt.read == 3


def test_a_field_outside_quotes_that_is_too_long_may_open_quotes_beyond_the_limit(shop: Shop) -> None:
    header = b"note,event_id,user_id,event_at,event_type,more\n"
    good = b",a,ann,2026-11-20,browse,\n"
    forged = b"," + FORGED.encode()
    shop.deliver(header + b"x" * (40 * 2**20) + b',"\n' + forged * 3 + b'",,,,\n' + good)
    assert shop.reasons() == [(2, "line_too_long", None)]
    assert [row["user_id"] for row in shop.events()] == ["ann"]


def test_a_row_too_long_is_kept_up_to_the_limit(shop: Shop) -> None:
    content = as_csv([event("mine", note="x" * 3 * MAX_ROW), event("z", note="")])
    shop.deliver(content)
    [row] = shop.refused()
    assert row["raw"].encode() == content.split(b"\n")[1][:MAX_ROW]


def test_a_last_row_that_is_never_closed_is_refused_as_one(shop: Shop) -> None:
    shop.deliver(as_csv([event("a", note="")]) + b'mine,bob,2026-11-20,browse,,"' + FORGED.encode() * 100)
    assert [row["event_id"] for row in shop.events()] == ["a"]
    assert shop.reasons() == [(3, "broken_quotes", None)]


# Any bytes, by grammar and by mutation, against Python's csv module.
UNLIKE_PYTHON = {"broken_quotes", "bad_utf8", "nul"}  # Python takes such rows
HEADER = b"event_id,user_id,event_at,event_type,item_id\n"
CELLS = st.text('ab",;\n\r ü\0', max_size=6) | st.sampled_from(['"', "\n", FORGED, "\r\n" * 3])
LINES = st.tuples(st.sampled_from(["a", "b", "c", ""]), st.sampled_from(["ann", "bob", ""]), CELLS)
PIECES = st.sampled_from(
    [b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"\xff", b"\0", b'",', b',"', FORGED.encode(), b" "]
)
MUTATIONS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), PIECES), max_size=4)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    text = io.StringIO(newline="")
    quoting, end = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])), draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    for event_id, user, item in draw(st.lists(LINES, max_size=8)):
        writer.writerow([event_id, user, "2026-11-20", "browse", item])
    body = text.getvalue().encode()
    for share, length, piece in draw(MUTATIONS):
        at = int(share * len(body))
        body = body[:at] + piece + body[at + length :]
    return b"z,ann,2026-11-20,browse,\n" + body


@settings(max_examples=300, deadline=None)
@given(bodies(), st.integers(1, 60), st.booleans())
def test_rows_read_are_rows_of_pythons_csv_module(body: bytes, block: int, is_packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        path.write_bytes(gzip.compress(HEADER + body, 1) if is_packed else HEADER + body)
        blocks = Blocks(path, 10**6, block)
        chunks = list(CsvRows(blocks).chunks(HEADER.decode().strip().split(",")))
        blocks.close()
    ours = [list(row.values())[1:] for chunk in chunks for row in chunk.rows.to_pylist()]
    theirs = [row for row in python_rows(body) if len(row) == 5]
    rest = iter(theirs)
    assert all(row in rest for row in ours)  # in order, none twice
    if not any(refusal.reason in UNLIKE_PYTHON for chunk in chunks for refusal in chunk.refused):
        assert ours == theirs


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies(), st.sampled_from([20, 60, 10**6]), st.booleans())
def test_events_accepted_are_rows_of_pythons_csv_module(body: bytes, block: int, is_packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.ingest.formats.blocks.Blocks.__init__.__defaults__", (block,))
        shop = Shop(Path(folder))
        content = gzip.compress(HEADER + body, 1) if is_packed else HEADER + body
        with suppress(InputError):  # a file of refused rows only; it has its batch all the same
            shop.deliver(content, "events.csv.gz" if is_packed else "events.csv")
        accepted, refused, [batch] = shop.events(), shop.refused(), lake.batches(shop.home, "events")
    assert batch.read == batch.accepted + batch.refused + batch.duplicates
    assert (batch.accepted, batch.refused) == (len(accepted), len(refused))
    theirs = Counter(good_rows(body))
    given_ids = {event_id for event_id, _ in theirs}  # any other was derived for a row without one
    ours = Counter((row["event_id"] if row["event_id"] in given_ids else "", row["item_id"] or "") for row in accepted)
    assert ours <= theirs
    if not UNLIKE_PYTHON & {row["reason"] for row in refused}:
        firsts = {event_id: item for event_id, item in reversed(good_rows(body)) if event_id}
        assert ours == Counter(row for row in good_rows(body) if not row[0]) + Counter(firsts.items())


def python_rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(errors="surrogateescape"), newline="")))


def good_rows(body: bytes) -> list[tuple[str, str]]:
    """Id and item of the rows that should be accepted, in order."""
    rows = [[cell.strip(" \t\r\n") for cell in row] for row in python_rows(body) if len(row) == 5]
    return [(row[0], row[4]) for row in rows if row[1] and row[2:4] == ["2026-11-20", "browse"]]
