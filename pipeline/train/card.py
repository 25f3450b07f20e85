"""The model card: what a bundle learned from, how good it is and what it cannot do, as a page of Markdown.

Mitchell et al., "Model cards for model reporting", FAT* (2019).
"""

import re
import shlex
import string
from datetime import datetime
from functools import cache
from html import unescape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.models import bundle as bundles
from pipeline.models import registry
from pipeline.models.bundle import Manifest
from pipeline.safe_text import one_line
from pipeline.storage.files import digest, sha256_of, write_atomically
from pipeline.yaml_files import ENDINGS

CARD = "card.md"
TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("torch", "xgboost", "scikit-learn", "numpy", "duckdb")
LONGEST = 60  # characters of a name from outside
SHOWN = 20  # typologies
UNKNOWN = "–"
_PLAIN = re.compile(r"[A-Za-z0-9]+([ _-][A-Za-z0-9]+)*")
_MARKUP = re.compile(r"[\\`*_\[\]|~$@#]|(?<=www)\.|:(?=//)", re.IGNORECASE)  # punctuation that means something
_HTML = str.maketrans({"<": "&lt;", ">": "&gt;"})
_ENTITY = re.compile(r"&(?=#?\w+;)")
_ESCAPE = re.compile(rf"\\([{re.escape(string.punctuation)}])|&(?:lt|gt|amp);")


def card(manifest: Manifest, domain: Domain, pack: str) -> str:
    """The card of a bundle, the same bytes for the same manifest and packages. `pack`: as RISK_DOMAIN named it."""
    from pipeline.models.base.catalogue import BASE_MODELS

    tried = {gate["base_model"] for gate in manifest.stacker.get("gates", [])}
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            bundle=manifest,
            domain=domain,
            pack=shlex.quote(str(Path(pack).absolute()) if pack.endswith(ENDINGS) else pack),
            made_from=manifest.made_from,
            user_days=sorted(manifest.made_from["user_days"]),
            user_days_digest=digest(manifest.made_from["user_days"]),
            autoencoder=manifest.autoencoder,
            stacker=manifest.stacker,
            holdout=manifest.stacker.get("holdout_metrics", {}),
            clocks=manifest.stacker.get("label_clocks", {"by_source": []}),
            reported_in_parts=_reported_in_parts(manifest.stacker.get("reported", {})),
            not_tried=[name for name in BASE_MODELS if name not in tried],
            packages={name: version(name) for name in PACKAGES},
            shown=SHOWN,
        )
    )


def _reported_in_parts(reported: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Tables of the share reported: their first column, and their rows."""
    parts = {"typology": "typology", "source": "named by"}
    return [
        (title, [{"name": row[part], **row} for row in reported.get(f"by_{part}", [])]) for part, title in parts.items()
    ]


def write(place: Path, manifest: Manifest, domain: Domain, pack: str) -> None:
    """Put the card beside the bundle's other files."""
    write_atomically(place / CARD, card(manifest, domain, pack))


def read(home: Path, bundle: str | None, at: datetime) -> tuple[str, str]:
    """The name and card of a bundle; of the champion at that time if None. Raises InputError without one."""
    name = bundle or _champion(home, at)
    manifest = bundles.read_manifest(home, name)
    path = bundles.folder(home, name) / CARD
    if CARD not in manifest.files:
        raise InputError(f"bundle {name} has no model card: it was trained before there were any", fix=_TRAIN)
    if not path.is_file() or sha256_of(path) != manifest.files[CARD]:
        raise InputError(
            f"bundle {name} is damaged: {CARD} is not the file that was written",
            fix="restore it from the backup, or dawnlist models rollback",
        )
    return name, path.read_text()


_TRAIN = "dawnlist train --until DAY"


def _champion(home: Path, at: datetime) -> str:
    standing = registry.champions(home, at)
    if not standing:
        raise InputError("there is no champion", fix=_TRAIN)
    return standing[-1].bundle


def safe(text: object) -> str:
    """A name from outside as Markdown shows it: one line, neither markup nor HTML nor a link."""
    line = one_line(str(text))
    line = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
    if _PLAIN.fullmatch(line):
        return line
    return _MARKUP.sub(r"\\\g<0>", _ENTITY.sub("&amp;", line)).translate(_HTML)


def plain(text: str) -> str:
    """The card as a terminal shows it: names without what keeps Markdown from reading them."""
    return _ESCAPE.sub(lambda found: found[1] or unescape(found[0]), text)


def number(value: float | None, digits: int = 3) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def interval(estimate: dict[str, float | None], digits: int) -> str:
    """`+3.0 (-1.0 to +7.0)`."""
    value, low, high = (
        UNKNOWN if estimate[part] is None else f"{estimate[part]:+.{digits}f}" for part in ("value", "low", "high")
    )
    return f"{value} ({low} to {high})"


def days(first_and_last: list[str]) -> str:
    first, last = first_and_last
    return first if first == last else f"{first} to {last}"


@cache
def _environment() -> Environment:
    """Markdown, not HTML: names from outside go through `safe`."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {"safe_name": safe, "number": number, "interval": interval, "days": days}
    environment.filters |= filters
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["share"] = lambda value: UNKNOWN if value is None else f"{100 * value:.1f} %"
    return environment
