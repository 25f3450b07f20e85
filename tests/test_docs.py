"""What the README and docs/ say exists, exists."""

import ast
import re
import shlex
from pathlib import Path

import click
import pytest
import typer
import yaml

from pipeline import ingest
from pipeline.catalogue import features
from pipeline.commands.cli import app
from pipeline.domain import (
    EVENT_COLUMNS,
    LABEL_COLUMNS,
    PACK_MODELS,
    ROLES,
    TOKEN_CATEGORICAL,
    TOKEN_NUMERIC,
    Domain,
    Labels,
    Mapping,
)
from pipeline.errors import STOPPED, PipelineError
from pipeline.evaluate.protocol import Protocol
from pipeline.feedback.records import OPTIONAL, REQUIRED
from pipeline.ingest.refusals import REASONS
from pipeline.publish.postgres import COLUMNS as POSTGRES_COLUMNS
from pipeline.settings import PROJECT, Settings
from pipeline.simulate.typologies import TYPOLOGIES

PAGES = [PROJECT / "README.md", PROJECT / "CHANGELOG.md", PROJECT / "docker" / "README.md", *PROJECT.glob("docs/*.md")]
TEXT = {str(page.relative_to(PROJECT)): page.read_text() for page in PAGES}
NOT_YET = "## What is not there yet"
FOLDERS = (
    "pipeline",
    "dags",
    "dbt_project",
    "expectations",
    "domains",
    "docker",
    "benchmarks",
    "scripts",
    "tests",
    "docs",
)
READERS_OWN = {"domains/tickets.yml", "docker/.env"}  # files that a reader writes
pages = pytest.mark.parametrize("page", TEXT)


def without_plans(text: str) -> str:
    """The text without the section on what is not there yet."""
    before, _, after = text.partition(NOT_YET)
    return before + after[after.find("\n## ") :] if after else before


def code_of(text: str) -> list[str]:
    """Code spans, and the lines of code blocks."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    return spans + [line.strip() for block in blocks for line in block.splitlines()]


def command_lines(text: str) -> list[str]:
    """Every `dawnlist …`, from its first word to the end of the command."""
    found = [re.search(r"(?:^|scheduler )dawnlist +(?=[a-z-])(.*)", code) for code in code_of(text)]
    return [re.split(r"\s[#…]|;|\|", match[1])[0].strip() for match in found if match]


def resolve(words: list[str]) -> click.Command | None:
    """The command that words name, None if there is none."""
    command: click.Command = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "commands"):
            break
        if word not in command.commands:
            return None
        command = command.commands[word]
    return command


def options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def all_options(command: click.Command) -> set[str]:
    inside = [all_options(other) for other in getattr(command, "commands", {}).values()]
    return options_of(command).union(*inside)


@pages
def test_every_command_line_and_its_options_exist(page):
    for line in command_lines(without_plans(TEXT[page])):
        words = shlex.split(line)
        command = resolve([word for word in words if not word.startswith("-")])
        assert command is not None, line
        assert {word for word in words if word.startswith("--")} <= options_of(command), line


@pages
def test_every_option_named_in_a_sentence_exists(page):
    ours = all_options(typer.main.get_command(app))
    named = {code.split()[0] for code in code_of(without_plans(TEXT[page])) if code.startswith("--")}
    assert named <= ours


def test_what_is_said_not_to_be_there_yet_is_not_there():
    _, _, plans = TEXT["docs/home.md"].partition(NOT_YET)
    planned = command_lines(plans.partition("\n## ")[0])
    assert planned
    assert [line for line in planned if resolve(shlex.split(line)) is not None] == []


def test_the_readme_fits_on_one_screen():
    lines = TEXT["README.md"].splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 120


def all_commands(command: click.Command, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inside = getattr(command, "commands", {}).items()
    return [found for name, other in inside for found in all_commands(other, (*words, name))] or [words]


def test_every_command_is_in_the_page_of_commands():
    lines = command_lines(TEXT["docs/commands.md"])
    ours = all_commands(typer.main.get_command(app))
    assert [words for words in ours if not any(line.split()[: len(words)] == [*words] for line in lines)] == []


def test_every_exit_code_is_in_the_page_of_commands():
    errors = {PipelineError, *PipelineError.__subclasses__()}
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT["docs/commands.md"], re.MULTILINE)}
    assert shown == {0, STOPPED, *(error.exit_code for error in errors)}


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", TEXT["README.md"]))
    assert linked == {page for page in TEXT if page.startswith("docs/")}


def test_every_column_of_a_list_is_in_the_page_of_a_home():
    only_there = {"domain", "revision", "scores"}  # in PostgreSQL
    columns = set(POSTGRES_COLUMNS) - only_there
    assert [name for name in columns if f"`{name}`" not in TEXT["docs/home.md"]] == []


SAID_OF_PACKS_AND_PROTOCOLS = {"no domain pack"}  # "no {what}"


def test_every_error_with_a_cure_is_one_of_ours():
    known = [text for file in (PROJECT / "pipeline").rglob("*.py") for text in strings_of(file)]
    _, _, table = TEXT["docs/operations.md"].partition("## Errors and their cures")
    messages = [code for row in re.findall(r"^\| \d+ \| (.+?) \|", table, re.MULTILINE) for code in code_of(row)]
    assert len(messages) > 50
    parts = [part.strip() for message in messages for part in message.split("…") if part.strip()]
    unknown = {part for part in parts if not any(part in text for text in known)}
    assert unknown - SAID_OF_PACKS_AND_PROTOCOLS == set()


def strings_of(file: Path) -> list[str]:
    """Every text in a source file, with an ellipsis where a value is filled in."""
    return [
        _text(node) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.JoinedStr | ast.Constant)
    ]


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "".join(_text(part) if isinstance(part, ast.Constant) else "…" for part in node.values)


def test_how_it_works_names_every_base_model():
    assert [name for name in PACK_MODELS if f"`{name}`" not in TEXT["docs/how-it-works.md"]] == []


def test_operations_names_every_dag():
    dags = {file.stem for file in (PROJECT / "dags").glob("*.py")} - {"common"}
    _, _, table = TEXT["docs/operations.md"].partition("## The daily run")
    assert dags == set(re.findall(r"^\| `(\w+)` \|", table.partition("\n## ")[0], re.MULTILINE))


def test_the_page_of_the_simulated_shop_names_every_typology():
    _, _, table = TEXT["docs/marketplace.md"].partition("## Ten typologies")
    assert set(re.findall(r"^\| `(\w+)` \|", table.partition("\n## ")[0], re.MULTILINE)) == set(TYPOLOGIES)


def rows_of_changes() -> list[str]:
    _, _, after = TEXT["docs/how-it-works.md"].partition("## Where to change what")
    return [row for row in after.partition("\n## ")[0].splitlines() if row.startswith("| a")]


@pytest.mark.parametrize("row", rows_of_changes(), ids=lambda row: row.split(" | ")[0][2:])
def test_every_name_in_the_table_of_changes_is_in_a_file_of_its_row(row):
    spans = code_of(row)
    places = [PROJECT / span.rstrip("/") for span in spans if "/" in span]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.*"))]
    source = "\n".join(file.read_text() for file in files if file.suffix in (".py", ".sql", ".yml"))
    names = [span for span in spans if re.fullmatch(r"\w+", span)]
    assert [name for name in names if not re.search(rf"\b{name}\b", source)] == []


def test_the_glossary_is_in_order_and_says_each_word_once():
    words = [re.sub(r"[`_]", " ", word).strip().lower() for word in glossary()]
    assert words == sorted(set(words))


@pytest.mark.parametrize(
    "word", ["base model", "baseline", "checkpoint", "counterparty", "holdout", "revision", "split"]
)
def test_the_glossary_explains_the_words_of_the_field(word):
    assert word in glossary()


def glossary() -> list[str]:
    return re.findall(r"^\| \*\*(.+?)\*\*", TEXT["docs/glossary.md"], re.MULTILINE)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))


def targets_named(page: str) -> set[str]:
    return {match[1] for code in code_of(TEXT[page]) if (match := re.search(r"(?:^|\s)make ([a-z-]+)", code))}


@pages
def test_every_make_target_exists(page):
    assert targets_named(page) <= make_targets()


def test_every_make_target_is_in_the_page_of_commands():
    assert make_targets() - {"help"} <= targets_named("docs/commands.md")


@pages
def test_every_relative_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        other = ((PROJECT / page).parent / path).resolve() if path else PROJECT / page
        assert other.exists(), target
        assert not anchor or anchor in anchors_of(other.read_text()), target


def anchors_of(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_every_file_named_exists(page):
    for code in code_of(TEXT[page]):
        for name in re.findall(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*", code):
            assert name in READERS_OWN or (PROJECT / name.rstrip("./")).exists(), name


@pages
def test_no_page_names_a_place_of_one_machine(page):
    assert re.findall(r"(?<![\w.])/(?:work|tmp|root|home)\b/?\S*", TEXT[page]) == []


@pages
def test_every_setting_named_exists(page):
    named = set(re.findall(r"\bRISK_[A-Z_]+\b", TEXT[page]))
    assert named <= {f"RISK_{name.upper()}" for name in Settings.model_fields} | {"RISK_DATASETS"}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_table_with_its_default(name):
    (shown,) = re.findall(rf"^\| `RISK_{name.upper()}` \| ([^|]+) \|", TEXT["docs/operations.md"], re.MULTILINE)
    default = Settings.model_fields[name].default
    if default is not None:
        assert float(shown) == default if isinstance(default, int | float) else shown == f"`{default}`"


def test_bring_your_own_data_names_every_field_column_role_and_reason():
    page = TEXT["docs/bring-your-own-data.md"]
    fields = set(Domain.model_fields) - {"events", "token", "labels"}
    fields |= {f"events.{name}" for name in Mapping.model_fields} | {f"labels.{name}" for name in Labels.model_fields}
    words = [*EVENT_COLUMNS, *LABEL_COLUMNS, *REQUIRED, *OPTIONAL, *ROLES, *TOKEN_CATEGORICAL, *TOKEN_NUMERIC, *REASONS]
    assert [word for word in [*fields, *words] if f"`{word}`" not in page] == []


@pytest.mark.parametrize(
    ("name", "default"),
    [
        *((name, field.default) for name, field in Domain.model_fields.items()),
        *((f"labels.{name}", field.default) for name, field in Labels.model_fields.items()),
    ],
)
def test_every_number_in_the_table_of_a_pack_is_its_default(name, default):
    if isinstance(default, int | float):
        page = TEXT["docs/bring-your-own-data.md"]
        (shown,) = re.findall(rf"^\| `{re.escape(name)}` \| ([^|]+) \|", page, re.MULTILINE)
        assert float(shown) == default


def test_how_it_works_names_every_family_of_features():
    families = {feature.family for feature in features().values()}
    named = re.findall(r"^\| ([a-z ,]+) \|", TEXT["docs/how-it-works.md"], re.MULTILINE)
    assert families <= set(", ".join(named).split(", "))


def test_the_worked_example_does_what_the_page_says(tmp_path):
    page = TEXT["docs/bring-your-own-data.md"]
    (orders,) = re.findall(r"```\n(order_no,placed.*?)```", page, re.DOTALL)
    pack, *_, labels = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    domain = Domain.model_validate(yaml.safe_load(pack + labels))
    (tmp_path / "orders.csv").write_text(orders)
    receipt = ingest.run(Settings(home=tmp_path / "home"), domain, events=[tmp_path / "orders.csv"], history=True)

    numbers = re.search(r"ingest: read (\d+), accepted (\d+), refused (\d+)", page)
    assert numbers and (receipt.read, receipt.accepted, receipt.refused) == tuple(map(int, numbers.groups()))
    reasons = dict(re.findall(r"^  refused: (\w+ \w+) (\d+)$", page, re.MULTILINE))
    assert receipt.details["reasons"] == {reason: int(rows) for reason, rows in reasons.items()}


def test_the_tried_cures_for_refused_rows_accept_them(tmp_path):
    page = TEXT["docs/bring-your-own-data.md"]
    (orders,) = re.findall(r"```\n(order_no,placed.*?)```", page, re.DOTALL)
    pack = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    pack["event_types"]["donation"] = "purchase"
    pack["events"]["source"] |= {"placed": "string", "total": "string"}
    for column in ("event_at", "amount"):
        (sql,) = re.findall(rf'`{column}: "(.+?)"`', page)
        pack["events"]["columns"][column] = sql
    lines = orders.splitlines()
    rows = [lines[0], lines[5].replace("2026-10-25 10:00:00", "25.10.2026 10:00"), lines[6]]
    rows.append(lines[7].replace("2026-10-25 11:30:00", "25.10.2026 11:30"))
    (tmp_path / "orders.csv").write_text("\n".join(rows) + "\n")
    settings = Settings(home=tmp_path / "home")
    receipt = ingest.run(settings, Domain.model_validate(pack), events=[tmp_path / "orders.csv"], history=True)
    assert (receipt.read, receipt.accepted) == (3, 3)
    assert receipt.details["days"] == ["2026-10-25"]


def test_the_example_of_ratings_takes_numeric_ids_and_epoch_seconds(tmp_path):
    page = TEXT["docs/bring-your-own-data.md"]
    ratings, reports = (
        re.findall(rf"```\n({first}.*?)```", page, re.DOTALL)[0] for first in ("userId,mo", "userId,wh")
    )
    _, pack, protocol, _ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    for name, text in {
        "ratings.csv": ratings,
        "reports.csv": reports,
        "ratings.yml": pack,
        "judge.yml": protocol,
    }.items():
        (tmp_path / name).write_text(text)
    domain = Domain.load(str(tmp_path / "ratings.yml"))
    files = {"events": [tmp_path / "ratings.csv"], "labels": [tmp_path / "reports.csv"]}
    receipt = ingest.run(Settings(home=tmp_path / "home"), domain, **files, history=True)
    assert (receipt.read, receipt.accepted, receipt.details["accepted_labels"]) == (3, 3, 1)
    assert receipt.details["days"] == ["2026-07-23"]
    assert Protocol.load(str(tmp_path / "judge.yml")).domain == "ratings.yml"
