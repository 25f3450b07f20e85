"""`dawnlist models`: list a home's bundles, read their cards, promote and roll back."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import daily
from pipeline.commands.options import AsJson, Home, Pack, request
from pipeline.commands.terminal import print_answer
from pipeline.safe_text import one_line

app = typer.Typer(help="Bundles: list them, read their cards, promote one, roll back.", no_args_is_help=True)


@app.command("list")
def models_list(home: Home = None, domain: Pack = None, as_json: AsJson = False) -> None:
    """List every decision about a bundle, and which bundle is the champion."""
    from pipeline.models import registry

    settings = daily.settings_of(request(home, domain))
    entries, standing = registry.ledger(settings.home), registry.champions(settings.home, settings.clock())
    if as_json:
        print(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=2))
        return
    table = Table("at")
    table.add_column("bundle", no_wrap=True)  # to be copied into `models promote`
    table.add_column("decision", min_width=len("(champion)"))
    table.add_column("why", overflow="fold")
    for entry in entries:
        mark = " (champion)" if standing and entry == standing[-1] else ""
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M}", entry.bundle, entry.action + mark, Text(one_line(entry.why)))
    Console().print(table if entries else "no bundle was ever trained here; to fix: dawnlist train --until DAY")


@app.command("card")
def models_card(
    bundle: Annotated[str | None, typer.Argument(help="A bundle's name; without one, the champion.")] = None,
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Print a bundle's model card: what it learned from, how good it is, and what it cannot do."""
    from pipeline.train.card import plain, read

    settings = daily.settings_of(request(home, domain))
    name, card = read(settings.home, bundle, settings.clock())
    print(json.dumps({"bundle": name, "card": card}, indent=2) if as_json else plain(card), end="\n" if as_json else "")


@app.command("promote")
def models_promote(
    bundle: Annotated[str, typer.Argument(help="A bundle's name, as in models/.")],
    home: Home = None,
    domain: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Make a bundle the champion by hand, whether or not it is better."""
    print_answer(daily.promote(request(home, domain), bundle), as_json)


@app.command("rollback")
def models_rollback(home: Home = None, domain: Pack = None, as_json: AsJson = False) -> None:
    """Go back to the bundle that was the champion before this one."""
    print_answer(daily.roll_back(request(home, domain)), as_json)
