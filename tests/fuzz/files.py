"""Files as nobody would write them on purpose: by grammar first, then with bytes cut, swapped, doubled and put in."""

import gzip
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from odd_values import ODD_IPS, ODD_NUMBERS, ODD_TEXTS, ODD_TIMES, TOKENS, times, words

Cells = dict[str, Any]


class File(NamedTuple):
    """`is_whole`: its bytes are as they were written."""

    name: str
    content: bytes
    is_whole: bool


def mostly(good: SearchStrategy[Any], odd: Sequence[str], share: int = 8) -> SearchStrategy[Any]:
    return st.integers(1, share).flatmap(lambda n: st.sampled_from(odd) if n == 1 else good)


def texts(share: int = 12) -> SearchStrategy[Any]:
    return mostly(words, ODD_TEXTS, share)


EVENT_CELLS: dict[str, SearchStrategy[Any]] = {
    "event_id": mostly(st.integers(1, 30).map(lambda n: f"e{n}"), ("", "", *ODD_TEXTS)),
    "user_id": texts(15),
    "event_at": mostly(times.map(lambda text: text + "Z") | times, ODD_TIMES),
    "event_type": mostly(
        st.sampled_from(("browse", "purchase", "login", "refund")), ("", "Purchase", "teleport", " cart ")
    ),
    "amount": mostly(st.decimals(0, 1000, places=2).map(str), ("", *ODD_NUMBERS)),
    "quantity": mostly(st.integers(0, 9).map(str), ("", *ODD_NUMBERS), 20),
    "ip": st.sampled_from(("", *ODD_IPS)),
    "payment_id": texts(),
    "session_id": texts(),
    "counterparty_id": texts(20),
    "note": texts(5),
}


LABEL_CELLS: dict[str, SearchStrategy[Any]] = {
    "user_id": mostly(words, ("", *ODD_TEXTS), 5),
    "event_id": mostly(st.integers(1, 30).map(lambda n: f"e{n}"), ("", *ODD_TEXTS), 5),
    "happened_at": mostly(times, ("", *ODD_TIMES), 5),
    "ends_at": mostly(st.sampled_from(("", "", "2026-11-21 10:00:00", "2026-11-22")), ("", *ODD_TIMES), 5),
    "known_at": mostly(times.map(lambda text: "2026-11-22" + text[10:]), ("2027-11-23T04:00:00Z", *ODD_TIMES)),
    "is_bad": mostly(st.sampled_from(("true", "no", "1", "F")), ("", "maybe", "TRUE", "2", "1.0")),
    "typology": texts(),
    "source": texts(),
}


REQUIRED_OF_LABELS = ("known_at", "is_bad", "event_id")


REQUIRED_OF_EVENTS = ("user_id", "event_at", "event_type")


@st.composite
def rows(draw: DrawFn, cells: dict[str, SearchStrategy[Any]], required: Sequence[str]) -> list[Cells]:
    """Rows that all have the same columns: the required ones, mostly, and some others, in any order."""
    others = [name for name in cells if name not in required]
    chosen = draw(st.lists(st.sampled_from(others), unique=True, max_size=5))
    names = draw(st.permutations([*required, *chosen]))
    if draw(st.integers(1, 25)) == 1:
        names = names[1:]
    made = draw(st.lists(st.fixed_dictionaries({name: cells[name] for name in names}), min_size=0, max_size=8))
    if made and draw(st.booleans()):
        made += draw(st.lists(st.sampled_from(made), max_size=3))  # equal rows
    return made or [dict.fromkeys(names, "")]


@st.composite
def csv_file(draw: DrawFn, found: list[Cells]) -> bytes:
    """Rows as CSV; some cells bare that should be quoted, some quoted that need not be."""
    delimiter = draw(st.sampled_from((",", ",", ";", "\t")))
    end = draw(st.sampled_from(("\n", "\n", "\r\n")))
    careless = draw(st.integers(0, 9)) == 0
    quotes = draw(st.sampled_from(("few", "few", "all")))

    def cell(text: str) -> str:
        needs = any(letter in text for letter in (delimiter, '"', "\n", "\r"))
        return '"' + text.replace('"', '""') + '"' if (needs and not careless) or quotes == "all" else text

    lines = [delimiter.join(map(cell, row)) for row in (list(found[0]), *(row.values() for row in found))]
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(lines) - 1))
        lines.insert(place, draw(st.sampled_from(("", " ", ",", '"', '""', "x" * 1_000_001, '"' + "\n" * 60 + '"'))))
    return (end.join(lines) + draw(st.sampled_from((end, "", end * 2)))).encode()


@st.composite
def json_file(draw: DrawFn, found: list[Cells]) -> bytes:
    """Rows as JSON lines; some cells numbers, truths, nulls or nested, some keys missing or given twice."""
    is_ascii = draw(st.booleans())

    def cell(name: str, text: str) -> str:
        kind = draw(st.integers(0, 20))
        if kind == 0:
            return draw(st.sampled_from(NESTED))
        if (
            kind <= 8
            and name in ("amount", "total", "quantity")
            and text.replace(".", "").isascii()
            and text[:1].isdigit()
        ):
            return text if _is_json(text) else json.dumps(text)
        return json.dumps(text, ensure_ascii=is_ascii)

    lines = []
    for row in found:
        kept = {name: text for name, text in row.items() if draw(st.integers(0, 20))}
        pairs = [f"{json.dumps(name)}: {cell(name, text)}" for name, text in kept.items()]
        if pairs and draw(st.integers(0, 20)) == 0:
            pairs.append(draw(st.sampled_from(pairs)))
        lines.append("{" + ", ".join(pairs) + "}")
    if draw(st.integers(0, 9)) == 0:
        odd = (
            "",
            " ",
            "\u2028",
            "\u00a0",
            "[]",
            "1",
            "null",
            '{"a": ' * 50_000,
            "[" * 50_000,
            "{" + " " * 1_000_001 + "}",
            "{}",
        )
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(odd)))
    return (draw(st.sampled_from(("\n", "\n", "\r\n"))).join(lines) + draw(st.sampled_from(("\n", "")))).encode()


NESTED = (
    *("null", "true", "false", "{}", "[]", '{"a": [1]}', "NaN", "-Infinity", "1e400", "12.50", "0", "-0", "9" * 5000),
    *(
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        '"\\ud83d\\ude00"',
        '"\\u2028"',
        '"a\\u000ab"',
        "[" * 50 + "]" * 50,
    ),
)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@st.composite
def mutated(draw: DrawFn, content: bytes) -> bytes:
    """Half of the files stay as they are; the others suffer up to four times."""
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 1, 2, 4)))):
        if not content:
            return content
        content = draw(st.sampled_from(MUTATIONS))(content, draw)
    return content


def _place(content: bytes, draw: DrawFn) -> int:
    return draw(st.integers(0, len(content)))


def _slice(content: bytes, draw: DrawFn) -> tuple[int, int]:
    start = _place(content, draw)
    return start, min(len(content), start + draw(st.integers(1, 60)))


def _cut(content: bytes, draw: DrawFn) -> bytes:
    return content[: _place(content, draw)]


def _without(content: bytes, draw: DrawFn) -> bytes:
    start, end = _slice(content, draw)
    return content[:start] + content[end:]


def _doubled(content: bytes, draw: DrawFn) -> bytes:
    start, end = _slice(content, draw)
    place = _place(content, draw)
    return content[:place] + content[start:end] + content[place:]


def _swapped(content: bytes, draw: DrawFn) -> bytes:
    first, second = sorted((_place(content, draw), _place(content, draw)))
    return content[:first] + content[second:] + content[first:second]


def _with_token(content: bytes, draw: DrawFn) -> bytes:
    place = _place(content, draw)
    return content[:place] + draw(st.sampled_from(TOKENS)) + content[place:]


def _with_byte(content: bytes, draw: DrawFn) -> bytes:
    place = draw(st.integers(0, len(content) - 1))
    return content[:place] + bytes([draw(st.integers(0, 255))]) + content[place + 1 :]


MUTATIONS: tuple[Callable[[bytes, DrawFn], bytes], ...] = (
    *(_cut, _without, _doubled, _swapped, _with_token, _with_token, _with_token, _with_byte),
)


def packed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)


def _column(name: str, texts: list[str]) -> SearchStrategy[pa.Array]:
    """A column of these texts in a Parquet file, or some other column under its name."""
    count = len(texts)

    def of(kind: pa.DataType, *values: Any) -> SearchStrategy[pa.Array]:
        cells = st.lists(st.sampled_from((None, *values)), min_size=count, max_size=count)
        return cells.map(lambda made: pa.array(made, kind))

    as_text = [pa.array(texts, kind) for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.large_binary())]
    as_text += [pa.array(texts).dictionary_encode(), pa.array([text or None for text in texts])]
    numbers = [
        of(pa.int64(), 0, 1, 17850, -(2**63), 2**63 - 1),
        of(pa.uint8(), 0, 1, 255),
        of(pa.float64(), 0.5, 17850.0, -0.0, 1e12, 1e300, float("nan"), float("inf")),
        of(pa.decimal128(20, 2), Decimal("12.50"), Decimal("0.01"), Decimal("999999999999999999.99")),
        of(pa.bool_(), True, False),
        of(pa.null()),
        of(pa.list_(pa.string()), [], ["a"], [None]),
        of(pa.struct([("a", pa.int64())]), {"a": 1}, {"a": None}),
        of(pa.binary(), b"ok", b"\xff", b"\0", b""),
    ]
    day = 86_400
    times = [
        of(pa.timestamp("s"), 1_763_632_800, 0, 10**14, 253_402_300_799, 253_402_300_800, 1_761_355_800),
        of(pa.timestamp("us"), 1_763_632_800_123_456, -(2**63) + 1, 2**63 - 1),
        of(pa.timestamp("us", "UTC"), 1_763_632_800_123_456, 1_795_406_700_000_001, 2**63 - 1),
        of(pa.timestamp("ms", "Europe/Berlin"), 1_763_632_800_123, 1_761_355_800_000),
        of(pa.timestamp("s", "Nowhere/Land"), 1_763_632_800),
        of(pa.timestamp("ns"), 1_763_632_800_123_456_000, 2**63 - 1),
        of(pa.date32(), 1_763_632_800 // day, 2**31 - 1, -(2**31), 2_932_897),
        of(pa.date64(), 1_763_596_800_000),
    ]
    odd = [*numbers, *(times if name.endswith("_at") or name == "placed" else times[:1])]
    return st.integers(0, 3).flatmap(lambda n: st.one_of(odd) if n == 0 else st.sampled_from(as_text))


@st.composite
def parquet_file(draw: DrawFn, found: list[Cells]) -> bytes:
    """Rows as Parquet; some columns of another type, filled with cells of that type."""
    columns = {name: draw(_column(name, [row[name] for row in found])) for name in found[0]}
    if draw(st.integers(0, 3)) == 0:
        odd = draw(st.sampled_from(("event_at", "amount", "user_id", "note")))
        columns[odd] = draw(_column(odd, [f"ann-{n}" for n in range(len(found))]))
    sink = pa.BufferOutputStream()
    options = {
        "compression": draw(st.sampled_from(("snappy", "none", "zstd", "gzip"))),
        "row_group_size": draw(st.integers(1, 10)),
        "use_dictionary": draw(st.booleans()),
        "data_page_version": draw(st.sampled_from(("1.0", "2.0"))),
        "write_page_index": draw(st.booleans()),
    }
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue().to_pybytes()


ENCODINGS: dict[str, Callable[[list[Cells]], SearchStrategy[bytes]]] = {
    "csv": csv_file,
    "jsonl": json_file,
    "parquet": parquet_file,
}


@st.composite
def delivery(
    draw: DrawFn,
    kind: str,
    cells: dict[str, SearchStrategy[Any]],
    required: Sequence[str],
    most: int = 5,
    name: str = "file",
) -> list[File]:
    """A few files of one kind (csv, jsonl, csv.gz, jsonl.gz, parquet)."""
    files = []
    for n in range(draw(st.integers(1, most))):
        encode = ENCODINGS[kind.removesuffix(".gz")]
        whole = draw(encode(draw(rows(cells, required))))
        content = draw(mutated(whole))
        is_whole = content == whole
        if kind.endswith(".gz"):
            content = draw(mutated(packed(content)))
        files.append(File(f"{name}{n}.{kind}", content, is_whole))
    return files
