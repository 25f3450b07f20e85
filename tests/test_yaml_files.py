"""A pack is written by hand: what is wrong with it is told with its line or field, and nothing wins silently."""

import os

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.domain import ALWAYS_IN, PACK_MODELS, Domain
from pipeline.errors import UsageError
from pipeline.evaluate.protocol import Protocol
from pipeline.models.base import catalogue
from pipeline.settings import PROJECT
from pipeline.yaml_files import MAX_BYTES

FINE = "name: mine\ncurrency: EUR\nevent_types:\n  buy: purchase\n"
PACKS = [path.read_text() for path in sorted((PROJECT / "domains").glob("*.yml"))]


def refusal(folder, content):
    """What is said of a pack with this content."""
    path = folder / "mine.yml"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    with pytest.raises(UsageError) as error:
        Domain.load(str(path))
    assert str(path) in str(error.value)
    assert error.value.fix
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{FINE}sensitive: [ip]\nsensitive: []\n", "line 6: the key 'sensitive' is given twice, first on line 5"),
        (f'{FINE}sensitive: [ip]\n"sensitive": []\n', "line 6: the key 'sensitive' is given twice, first on line 5"),
        (f"{FINE}  buy: refund\n", "line 5: the key 'buy' is given twice, first on line 4"),
        (f"{FINE}events: {{columns: {{ip: a, ip: b}}}}\n", "line 5: the key 'ip' is given twice, first on line 5"),
        (f"{FINE}events: &them {{}}\nlabels: *them\n", "line 6: the alias *them is not read"),
        (f"{FINE}labels:\n  <<: {{delay_days: 3}}\n", "line 6: the merge key << is not read"),
        (f"{FINE}events: &them {{columns: *them}}\n", "line 5: the alias *them is not read"),
        (f"{FINE}  1: refund\n", "line 5: a key is text, found '1': put it in quotes"),
        (f"{FINE}  no: refund\n", "line 5: a key is text, found 'no': put it in quotes"),
        (f"{FINE}  ? [a]\n  : refund\n", "line 5: a key is text, found a list or a mapping"),
        (f"{FINE}title: !!binary aGk=\n", "line 5: the tag tag:yaml.org,2002:binary is not read"),
        (f"{FINE}title: !!python/name:os.system\n", "line 5: the tag"),
        (f"{FINE}title: 2026-13-45\n", "line 5: '2026-13-45' is no such number or date"),
        (f"{FINE}list_size: {'9' * 5000}\n", "line 5: '9999"),
        (f'{FINE}title: "\\uD800"\n', "line 5: a control character, or half of one"),
        (f'{FINE}events: {{source: {{"\\uD800": string}}}}\n', "line 5: a control character, or half of one"),
        (f'{FINE}title: "\\0"\n', "line 5: a control character"),
        (f'{FINE}title: "\\UFFFFFFFF"\n', "is not YAML that we read"),
        (f"{FINE}title: {'[' * 100_000}\n", "line 5: deeper than 20 levels"),
        (FINE + "".join(f"{' ' * n}a:\n" for n in range(200)), "deeper than 20 levels"),
        (f"{FINE}title: Bücher\n".encode("latin-1"), "line 5: a byte that is not UTF-8"),
        (FINE.encode("utf-16"), "line 1: a byte that is not UTF-8"),
        (FINE + "# " + "x" * MAX_BYTES, "larger than"),
        (f"{FINE}---\n{FINE}", "expected a single document"),
        ("- name: mine\n", "found a list"),
        ("mine\n", "found a str"),
        ("", "found nothing"),
        ("name: mine\ncurrency: EUR\nevent_types: {}\n", "event_types: "),
        (f"{FINE}timezone: Europe\n", "timezone: unknown time zone 'Europe'"),
        (f"{FINE}timezone: ../UTC\n", "timezone: unknown time zone '../UTC'"),
        (f"{FINE}timezone: {'a' * 5000}\n", "timezone: unknown time zone"),
        (f"{FINE}timezone: localtime\n", "timezone: unknown time zone"),
        (
            f"{FINE}base_models: [novelty, lstmm]\n",
            "base_models: unknown base models ['lstmm']; known: novelty, isolation_forest",
        ),
        (f"{FINE}base_models: [lstm_autoencoder]\n", "base_models: lstm_autoencoder is in every bundle: leave it out"),
        (f"{FINE}base_models: [gru, gru]\n", "base_models: a base model is named twice"),
        (f"{FINE}evnts: {{}}\n", "evnts: no such field; fields here: name, title, currency"),
        (f"{FINE}labels: {{delay: 3}}\n", "labels.delay: no such field; fields here: source, columns, delay_days"),
        *(
            (f"{FINE}list_every: {wrong}\n", "list_every: wanted `1 day` to `28 days`, for example `7 days`")
            for wrong in ("7", "0 days", "29 days", "a week", "7 days each", "", "١ days")
        ),
        (f"{FINE}late_days: 40\n", "late_days: Input should be less than or equal to 28, found 40"),
    ],
)
def test_what_is_wrong_with_a_pack_is_explained_with_its_place(content, words, tmp_path):
    assert words in refusal(tmp_path, content)


def test_a_protocol_is_read_by_the_same_rules(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("name: mine\nreviews: 5\nreviews: 500\n")
    with pytest.raises(UsageError, match="line 3: the key 'reviews' is given twice, first on line 2"):
        Protocol.load(str(path))


def test_keys_of_different_mappings_may_be_alike(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(f"{FINE}events: {{columns: {{user_id: a}}}}\nlabels: {{columns: {{user_id: a}}}}\n")
    assert Domain.load(str(path)).events.columns == {"user_id": "a"}


def test_a_byte_order_mark_is_no_harm(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_bytes(b"\xef\xbb\xbf" + FINE.encode())
    assert Domain.load(str(path)).name == "mine"


@pytest.mark.parametrize("name", ["gone.yml", "gone", "sub/gone.yaml", "x" * 300 + ".yml"])
def test_a_pack_that_is_not_there_is_explained_with_the_path_tried(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tried = tmp_path / name if "." in name else PROJECT / "domains" / f"{name}.yml"
    with pytest.raises(UsageError) as error:
        Domain.load(name)
    assert str(tried) in str(error.value)


def test_a_folder_a_pipe_and_a_closed_file_are_told(tmp_path):
    (tmp_path / "folder.yml").mkdir()
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    for name in ("folder.yml", "pipe.yml", "loop.yml"):
        with pytest.raises(UsageError, match=name):
            Domain.load(str(tmp_path / name))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_pack_that_may_not_be_read_is_explained(tmp_path):
    (tmp_path / "mine.yml").write_text(FINE)
    (tmp_path / "mine.yml").chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        Domain.load(str(tmp_path / "mine.yml"))


def test_the_base_models_a_pack_may_name_are_those_there_are():
    assert {ALWAYS_IN, *PACK_MODELS} == set(catalogue.BASE_MODELS)


HOSTILE = [
    *("&a ", "*a", "<<: ", "!!set ", "? ", "\\uD800", '"', "'", "[", "{", "- ", ": ", "\t", "\n", "\0", "é", "~", "="),
    *("2026-13-45", ".inf", "0o9", "1:99", "--- ", "%YAML 9.9\n", "Europe", "|\n", ">-\n", "\x85", "\ufeff", "\ud800"),
]


@st.composite
def mutated(draw):
    """A pack of ours with pieces taken out, doubled, or put in."""
    text = draw(st.sampled_from([FINE, *PACKS]))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        put_in = draw(st.sampled_from([*HOSTILE, text[start:end] * 2, text[:end], ""]))
        text = text[:start] + put_in + text[min(end, start + draw(st.integers(0, 30))) :]
    return text.encode("utf-8", "surrogatepass")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(st.sampled_from(list(Domain.model_fields)), VALUES).map(
    lambda fields: yaml.safe_dump(yaml.safe_load(FINE) | fields, allow_unicode=True).encode("utf-8", "surrogatepass")
)


@settings(max_examples=300, deadline=None)
@example(b"? a : ? b")
@example(b"name: =\n")
@example(b"name: !!timestamp x\n")
@given(mutated() | FIELDS | st.binary(max_size=200))
def test_whatever_a_pack_holds_it_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(content)
    try:
        Domain.load(str(path))
    except UsageError as error:
        str(error).encode()
