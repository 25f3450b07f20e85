"""The command line: everything that Airflow does, by hand and with the same functions."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from pipeline import daily
from pipeline.commands import laboratory
from pipeline.commands import models as bundles
from pipeline.commands.options import (
    Accept,
    AsJson,
    AsOf,
    Day,
    First,
    Home,
    Last,
    ListSize,
    Pack,
    a_day,
    a_path,
    request,
)
from pipeline.commands.terminal import (
    errors,
    of_this_machine,
    print_answer,
    print_answers,
    report,
    shows_progress,
    status,
)
from pipeline.domain import Domain
from pipeline.errors import STOPPED, STOPPED_WORDS, CheckpointFailedError, InputError, PipelineError
from pipeline.safe_text import one_line
from pipeline.settings import Settings, in_order
from pipeline.storage.files import private

app = typer.Typer(
    name="dawnlist",
    help="Every morning, the short list of accounts a risk team should look at, and why.\n\n"
    "A first list from your own files:\n\n"
    "  dawnlist ingest --history --events FILES --domain retail\n\n"
    "  dawnlist train --until 2011-11-30\n\n"
    "  dawnlist run --day 2011-12-09\n\n"
    "  dawnlist show --day 2011-12-09\n\n"
    "Exit codes: 0 done, 1 a bug, 2 wrong usage, 3 bad input, 4 a checkpoint failed, 5 busy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(bundles.app, name="models")


@app.command()
def ingest(
    events: Annotated[
        list[Path] | None, typer.Option(parser=a_path, metavar="PATH", help="Event files or folders; repeat for more.")
    ] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(parser=a_path, metavar="PATH", help="Label files or folders; repeat for more.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Old data: each event counts as arrived when it happened.")
    ] = False,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Load events and labels, by default everything in landing/. Refused rows go to quarantine with their reason."""
    run = daily.ingest_events(
        request(home, domain),
        events=events or (),
        labels=labels or (),
        history=history,
        progress=shows_progress(as_json),
    )
    answer = run["ingested"]
    if not answer["details"]["files"]:  # normal in a daily run, so only this command warns
        answer["warnings"] = [*answer["warnings"], "no files to ingest"]
    print_answer(answer, as_json)


@app.command()
def features(
    first: First, last: Last, as_of: AsOf = None, home: Home = None, domain: Pack = None, as_json: AsJson = False
) -> None:
    """Build the features of a range of days with dbt. A day is built again only if its inputs changed."""
    with status("building features", as_json):
        answer = daily.build_features(request(home, domain, last, as_of), first)
    print_answer(answer, as_json)


@app.command()
def validate(
    day: Day, accept: Accept = "", as_of: AsOf = None, home: Home = None, domain: Pack = None, as_json: AsJson = False
) -> None:
    """Validate a day's events and features. A critical finding ends with exit code 4."""
    with status(f"validating {day}", as_json):
        answer = daily.check_day(request(home, domain, day, as_of, accept=accept))
    print_answer(answer, as_json)


@app.command()
def train(
    until: Annotated[date, typer.Option(parser=a_day, metavar="DAY", help="The last day to learn from.")],
    as_of: AsOf = None,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Train on the days up to one, with labels known by its end. The new bundle is promoted if it is better."""
    run = request(home, domain, until, as_of or _now())
    with status(f"building the features of the days up to {until}", as_json):
        daily.build_training_features(run)
    trained = daily.train_challenger(run, progress=shows_progress(as_json))
    with status(f"comparing {trained['details']['bundle']} with the champion", as_json):
        decided = daily.promote_if_better(run, trained["details"]["bundle"])
    print_answers([trained, decided], as_json)


@app.command()
def score(day: Day, as_of: AsOf = None, home: Home = None, domain: Pack = None, as_json: AsJson = False) -> None:
    """Score every account active on a day with the champion."""
    with status(f"scoring {day}", as_json):
        answer = daily.score_users(request(home, domain, day, as_of))
    print_answer(answer, as_json)


@app.command()
def publish(
    day: Day,
    list_size: ListSize = None,
    accept: Accept = "",
    as_of: AsOf = None,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Rank, cut, explain and publish the list of a day that has been scored."""
    with status(f"publishing {day}", as_json):
        answer = daily.publish_list(request(home, domain, day, as_of, list_size, accept))
    print_answer(answer, as_json)


@app.command()
def run(
    day: Day,
    list_size: ListSize = None,
    accept: Accept = "",
    as_of: AsOf = None,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """All daily steps of one day. Safe to run again. With --as-of, the list as it was known then."""

    def steps() -> Iterator[daily.Answer]:
        wanted = request(home, domain, day, as_of, list_size, accept)
        run = daily.ingest_events(wanted, progress=shows_progress(as_json))
        yield run["ingested"]
        yield from _after_ingest(run, as_json)

    print_answers(steps(), as_json)


@app.command()
def backfill(
    first: First,
    last: Last,
    list_size: ListSize = None,
    accept: Accept = "",
    as_of: AsOf = None,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Make the lists of a range of days. Days that fail are named at the end."""
    in_order(first, last)  # before anything is ingested
    failed: list[str] = []

    def steps() -> Iterator[daily.Answer]:
        wanted = request(home, domain, last, as_of, list_size, accept)
        run = daily.ingest_events(wanted, progress=shows_progress(as_json))
        yield run["ingested"]
        with status(f"building the features of {first}..{last}", as_json):
            built = daily.build_features(run, first)
        yield built
        for day in (first + timedelta(days=n) for n in range((last - first).days + 1)):
            try:
                yield from _after_ingest(run | {"day": day}, as_json)
            except CheckpointFailedError as error:
                report(error)
                failed.append(str(day))

    print_answers(steps(), as_json)
    if failed:
        raise CheckpointFailedError(f"no new list for {len(failed)} of these days", ", ".join(failed), fix="see above")


@app.command()
def show(
    day: Day,
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
    everybody: Annotated[
        bool, typer.Option("--all", help="The ranking behind the list: every scored account, listed or not.")
    ] = False,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Print the list to work from on a day: its own, or the last good one, marked stale."""
    from pipeline.publish import latest_good, ranking_behind, render, render_ranking

    settings = daily.settings_of(request(home, domain))
    table, manifest = latest_good(settings.home, day, Domain.load(settings.domain).list_every)
    shown = (ranking_behind(settings.home, table, manifest) if everybody else table).slice(0, limit)
    if as_json:
        print(json.dumps({"manifest": manifest, "rows": shown.to_pylist()}, indent=2, default=str))
        return
    output = render_ranking(shown, manifest) if everybody else render(shown, manifest)
    Console(width=None if sys.stdout.isatty() else 140).print(output)


@app.command()
def neighbours(
    day: Day,
    user: Annotated[str, typer.Option(help="The account, as user_id has it.")],
    back: Annotated[int, typer.Option(min=0, max=365, help="How many days before DAY are searched too.")] = 28,
    limit: Annotated[int, typer.Option(min=1, help="How many accounts.")] = 10,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Accounts that behave like this one, nearest first, and whether they were known to be bad."""
    from pipeline.score.neighbours import neighbours as look_up
    from pipeline.score.neighbours import render

    settings = daily.settings_of(request(home, domain))
    found = look_up(settings, day, user, back, limit, settings.clock())
    if as_json:
        print(json.dumps(found.to_dict(), indent=2, default=str))
        return
    Console(width=None if sys.stdout.isatty() else 140).print(render(found))


@app.command()
def feedback(
    path: Annotated[Path, typer.Argument(parser=a_path, metavar="PATH", help="A CSV of verdicts.")],
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Take in analysts' verdicts: confirmed and dismissed ones become labels."""
    print_answer(daily.take_feedback(request(home, domain), path), as_json)


@app.command()
def doctor(home: Home = None, domain: Pack = None, as_json: AsJson = False) -> None:
    """Check that a home's files are as they were written. Each fault says what to do; exit code 3 if there are any."""
    from pipeline.doctor import Fault
    from pipeline.doctor import run as examine

    settings = daily.settings_of(request(home, domain))
    receipt = examine(settings.home, settings.clock(), shows_progress(as_json))
    answer = receipt.model_dump(mode="json", exclude_none=True)
    print_answer(answer, as_json)
    if not as_json:
        for fault in answer["details"]["found"]:
            print(one_line(str(Fault(**fault))))
    if answer["details"]["faults"]:
        raise typer.Exit(InputError.exit_code)


@app.command()
def suggest(home: Home = None, domain: Pack = None, as_json: AsJson = False) -> None:
    """Suggest settings that fit the data: how often a list, how long, how many days and labels to learn from."""
    from pipeline.suggest import in_lines

    answer = daily.suggest_settings(request(home, domain))
    print_answer(answer, as_json)
    if not as_json:
        for line in in_lines(answer["details"]["suggestions"]):
            print(one_line(line))


for command in (laboratory.simulate, laboratory.evaluate, laboratory.rehearse):
    app.command()(command)


def _now() -> datetime:
    """Now, fixed once per command so that all its steps see the same data."""
    return Settings.load().clock()


def _after_ingest(run: dict[str, Any], as_json: bool) -> Iterator[daily.Answer]:
    """Run the steps that make a day's list, in order. Yields each receipt at once."""
    steps: dict[str, Callable[[daily.Request], daily.Answer]] = {
        "validating the events": daily.check_events,
        "building the features": daily.build_features,
        "validating the user-days": daily.check_user_days,
        "scoring": daily.score_users,
        "publishing": daily.publish_list,
    }
    for words, step in steps.items():
        with status(f"{run['day']}: {words}", as_json):
            answer = step(run)
        yield answer


def main() -> NoReturn:
    """Run a command. An error that a person can fix ends without a traceback and with its own exit code."""
    try:
        with private():
            app()
    except SystemExit as end:
        if end.code == STOPPED:  # typer has caught the KeyboardInterrupt
            errors.print(STOPPED_WORDS)
        raise
    except PipelineError as error:
        report(error)
        sys.exit(error.exit_code)
    except Exception as error:
        if (known := of_this_machine(error)) is None:
            raise
        report(known)
        sys.exit(known.exit_code)
    sys.exit(0)


__all__ = ["app", "main"]
