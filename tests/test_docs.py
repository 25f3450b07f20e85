"""What the README and docs/ say exists, exists."""

import re
import shlex

import click
import pytest
import typer
import yaml

from pipeline import ingest
from pipeline.catalogue import features
from pipeline.cli import app
from pipeline.domain import (
    EVENT_COLUMNS,
    LABEL_COLUMNS,
    ROLES,
    TOKEN_CATEGORICAL,
    TOKEN_NUMERIC,
    Domain,
    Labels,
    Mapping,
)
from pipeline.evaluate.protocol import Protocol
from pipeline.feedback.records import OPTIONAL, REQUIRED
from pipeline.ingest.refusals import REASONS
from pipeline.settings import PROJECT, Settings

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
    _, _, plans = TEXT["README.md"].partition(NOT_YET)
    planned = command_lines(plans.partition("\n## ")[0])
    assert planned
    assert [line for line in planned if resolve(shlex.split(line)) is not None] == []


def test_every_command_is_in_the_readme():
    shown = {line.split()[0] for line in command_lines(TEXT["README.md"])}
    assert set(typer.main.get_command(app).commands) <= shown


@pages
def test_every_make_target_exists(page):
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = {match[1] for code in code_of(TEXT[page]) if (match := re.search(r"(?:^|\s)make ([a-z]+)", code))}
    assert named <= targets


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
