"""Commands that need no home: the simulated shop, the protocols and the rehearsal."""

import json
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from pipeline.commands.options import AsJson, a_day, a_path, names
from pipeline.commands.terminal import errors, print_answer, shows_progress
from pipeline.errors import UsageError


def simulate(
    out: Annotated[Path, typer.Option(parser=a_path, metavar="FOLDER", help="A new or empty folder.")],
    days: Annotated[int, typer.Option(help="How many days.")] = 90,
    users: Annotated[int, typer.Option(help="Accounts the shop begins with.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 7,
    first_day: Annotated[
        date | None, typer.Option(parser=a_day, metavar="DAY", help="The first day.", show_default="2026-06-01")
    ] = None,
    bad_share: Annotated[float, typer.Option(help="Share of user-days that are abuse.")] = 0.005,
    quiet: Annotated[bool, typer.Option("--quiet", help="No abuse at all.")] = False,
    intensity: Annotated[float, typer.Option(help="How obvious the abuse is, 0 to 1.")] = 0.5,
    lists: Annotated[
        Path | None,
        typer.Option(
            parser=a_path, metavar="FOLDER", help="Published lists (day=*/risk_list.parquet), for abusers who adapt."
        ),
    ] = None,
    format: Annotated[Literal["parquet", "csv"], typer.Option(help="Of the event files.")] = "parquet",
    as_json: AsJson = False,
) -> None:
    """Simulate a shop with labelled abuse: events and labels per day, and the truth apart from them."""
    from pipeline.simulate import run as simulate_shop

    receipt = simulate_shop(
        out,
        days=days,
        users=users,
        seed=seed,
        first_day=first_day or date(2026, 6, 1),
        bad_share=bad_share,
        quiet=quiet,
        intensity=intensity,
        lists=lists,
        format=format,
        progress=shows_progress(as_json),
    )
    print_answer(receipt.model_dump(mode="json", exclude_none=True), as_json)


def evaluate(
    protocol: Annotated[str, typer.Argument(help="One of protocols/, or a YAML file of your own.")],
    out: Annotated[
        Path, typer.Option(parser=a_path, metavar="FOLDER", help="Where report.json and report.html go.")
    ] = Path("evaluation"),
    data: Annotated[
        Path | None,
        typer.Option(
            parser=a_path, metavar="FOLDER", envvar="RISK_DATASETS", help="The folder with the protocol's files."
        ),
    ] = None,
    home: Annotated[
        Path | None, typer.Option(parser=a_path, metavar="FOLDER", help="Keep what is built here for the next run.")
    ] = None,
    base_models: Annotated[
        str | None, typer.Option(help="Only these base models, comma separated; 'none' for none.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="No placebos, learning curves or prices of leaks.")] = False,
    as_json: AsJson = False,
) -> None:
    """Test the product and its base models by a protocol. Writes a report as JSON and as HTML."""
    from pipeline.evaluate.protocol import Protocol
    from pipeline.evaluate.report.table import render
    from pipeline.evaluate.report.writing import write_report
    from pipeline.evaluate.run import Options, run

    chosen = None if base_models is None else tuple(name for name in names(base_models) if name != "none")
    chosen_protocol = Protocol.load(protocol)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {out}", error.strerror or "", fix="give --out another one") from None
    keep = partial(write_report, folder=out)
    console = None if as_json else errors
    report = run(chosen_protocol, Options(data, home, chosen, quick), console, keep)
    keep(report)
    if as_json:
        print(report.model_dump_json(indent=2))
        return
    terminal = Console(width=None if sys.stdout.isatty() else 160)
    for table in render(report):
        terminal.print(table)
    terminal.print(f"{out}/report.html and report.json")


def rehearse(
    out: Annotated[
        Path, typer.Option(parser=a_path, metavar="FOLDER", help="A new folder, or one where this rehearsal was begun.")
    ],
    weeks: Annotated[int, typer.Option(help="Weeks of daily lists; each begins with a training.")] = 12,
    warm_up: Annotated[int, typer.Option(help="Days of history before them.")] = 56,
    users: Annotated[int, typer.Option(help="Accounts the shop begins with.")] = 4000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop.")] = 7,
    bad_share: Annotated[float, typer.Option(help="Share of user-days that are abuse.")] = 0.01,
    capacity: Annotated[int, typer.Option(help="Accounts reviewed a day.")] = 40,
    error: Annotated[float, typer.Option(help="Share of verdicts that are wrong.")] = 0.05,
    delay: Annotated[int, typer.Option(help="Days until a verdict.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Rehearse weeks of lists, reviews and retraining in a simulated shop, by four ways of working."""
    from pipeline.evaluate.rehearsal import Plan, run
    from pipeline.evaluate.rehearsal.table import render

    plan = Plan(weeks, warm_up, users, seed, bad_share, capacity=capacity, error=error, delay=delay)
    report = run(out, plan, (lambda text: None) if as_json else errors.print)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    terminal = Console(width=None if sys.stdout.isatty() else 120)
    for table in render(report):
        terminal.print(table)
    terminal.print(f"{out}/rehearsal.svg and rehearsal.json")
