"""Options that many commands share, and how their text is parsed."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.settings import possible_day


def a_day(text: str) -> date:
    try:
        return possible_day(date.fromisoformat(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day like 2026-11-22") from None


def a_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time like 2026-11-22T04:00:00Z") from None


def a_path(given: str | Path) -> Path:
    """A path. An empty text would be the working folder, most often from a variable that is not set.

    Typer hands an option's default to its parser too, and that is a Path already.
    """
    if not str(given).strip():
        raise typer.BadParameter("it is empty, wanted a file or a folder")
    return Path(given)


Home = Annotated[
    Path | None,
    typer.Option(
        parser=a_path, metavar="FOLDER", help="Where everything is kept. Or set RISK_HOME.", show_default="./data"
    ),
]
Pack = Annotated[str | None, typer.Option("--domain", help="A pack in domains/, or a YAML file. Or set RISK_DOMAIN.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")]
AsOf = Annotated[
    datetime | None,
    typer.Option(parser=a_moment, metavar="TIME", help="Use only what had arrived by then.", show_default="now"),
]
Day = Annotated[date, typer.Option(parser=a_day, metavar="DAY", help="A UTC day, like 2026-11-22.")]
First = Annotated[date, typer.Option("--from", parser=a_day, metavar="DAY", help="The first day.")]
Last = Annotated[date, typer.Option("--to", parser=a_day, metavar="DAY", help="The last day, included.")]
ListSize = Annotated[int | None, typer.Option(min=1, help="Accounts the team can review per list.")]
Accept = Annotated[str, typer.Option(help="Findings that may pass, comma separated, as the failure names them.")]


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def request(
    home: Path | None,
    domain: str | None,
    day: date | None = None,
    as_of: datetime | None = None,
    list_size: int | None = None,
    accept: str = "",
) -> dict[str, Any]:
    """The options as a request to `pipeline.daily`."""
    given = {"home": home, "domain": domain, "day": day, "as_of": as_of, "list_size": list_size}
    return given | {"accept": names(accept)}
