"""Settings: read once from the environment (`RISK_*`) or the command line, then passed on."""

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import UsageError

PROJECT = Path(__file__).resolve().parent.parent
NOT_IN_A_HOME = "\\?#{}"  # in a path, DuckDB and dbt read these as a slash, as options or as a template
LONGEST_NAME = 255  # bytes of a file's name
PACK_NAME = r"^[a-z][a-z0-9_]{0,40}$"
TRAIN_DAYS, LEAST_BAD_LABELS = (7, 730), 10  # what may be asked for
UNITS = {"": 1000, "i": 1024}
LEAST_MEMORY, MOST_MEMORY = 10 * 1000**2, 1000 * 1000**4  # outside these, DuckDB does not start


def possible_day(day: date) -> date:
    """The day. Raises ValueError outside 1990..2199: there are no events, and date arithmetic may overflow."""
    if not 1990 <= day.year < 2200:
        raise ValueError(f"{day} is not between 1990 and 2199")
    return day


def in_order(first: date, last: date) -> None:
    """Raises UsageError if a range of days is empty."""
    if first > last:
        raise UsageError(f"the range ends before it begins: {first} to {last}", fix="exchange --from and --to")


class Settings(BaseSettings):
    """All settings that are neither data nor domain. `RISK_HOME` may contain `{domain}`."""

    model_config = SettingsConfigDict(env_prefix="RISK_", frozen=True, extra="ignore")

    home: Path = Field(Path("data"), description="Where everything is kept.")
    domain: str = Field("shop", description="Name of a pack in domains/, or the path of a YAML file.")
    list_size: int | None = Field(None, ge=1, le=100_000, description="Accounts reviewed per list; or the pack's.")
    min_bad_labels: int = Field(
        50, ge=LEAST_BAD_LABELS, description="Matured bad user-days needed before the stacker is used."
    )
    train_days: int = Field(
        90, ge=TRAIN_DAYS[0], le=TRAIN_DAYS[1], description="Days of user-days a training run looks back."
    )
    epochs: int = Field(24, ge=1, le=200, description="Epochs that an autoencoder is trained for at most.")
    seed: int = Field(7, ge=0, lt=2**31)
    threads: int = Field(2, ge=1, le=256)
    memory_limit: str = Field(
        "2500MB", pattern=r"^[0-9]+(\.[0-9]+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$", description="DuckDB's."
    )
    max_file_bytes: int = Field(64 * 2**30, ge=1, description="Largest input file, after decompression.")
    lock_seconds: float = Field(5, ge=0, description="How long to wait for a busy home before giving up.")
    key: SecretStr | None = Field(None, description="Pseudonymisation key; created in the home if absent.")
    postgres_dsn: SecretStr | None = Field(None, description="Where to upsert published lists, if anywhere.")
    now: AwareDatetime | None = Field(None, description="Pretend it is this time: for replays and tests.")

    @field_validator("home", mode="before")
    @classmethod
    def openable_path(cls, value: Any) -> Any:
        if not str(value).strip():
            raise ValueError("it names no folder")
        if not _is_utf8(str(value)):
            raise ValueError("wanted the path of a folder, in UTF-8")
        path = str(Path(str(value).replace("{domain}", "")).absolute())
        if odd := sorted(set(path) & set(NOT_IN_A_HOME)):
            raise ValueError(f"dbt and DuckDB open no database in a folder with {' '.join(odd)} in its path")
        return value

    @field_validator("now")
    @classmethod
    def in_utc(cls, value: datetime | None) -> datetime | None:
        """The time in UTC. Raises ValueError outside 1990..2199, where adding a zone or a minute may overflow."""
        return None if value is None else datetime.combine(possible_day(value.date()), value.timetz()).astimezone(UTC)

    @field_validator("memory_limit")
    @classmethod
    def usable_memory(cls, value: str) -> str:
        number, letter, binary = re.fullmatch(r"([\d.]+)\s?([KMGT])(i?)B", value).groups()  # type: ignore[union-attr]
        size = float(number) * UNITS[binary] ** ("KMGT".index(letter) + 1)
        if not LEAST_MEMORY <= size <= MOST_MEMORY:
            raise ValueError("wanted at least 10 MB and at most 1000 TB")
        return value

    @field_validator("key", "postgres_dsn")
    @classmethod
    def in_utf8(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_utf8(value.get_secret_value()):
            raise ValueError("wanted UTF-8")
        return value

    def clock(self) -> datetime:
        """The current time in UTC, or the pretended one."""
        return self.now or datetime.now(UTC)

    @classmethod
    def load(cls, **overrides: Any) -> "Settings":
        """Environment plus `overrides` (None means not given).

        Raises UsageError naming each wrong setting, without its value: it may be a secret.
        """
        try:
            settings = cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            wrong = [f"RISK_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
            raise UsageError("a setting is wrong", *wrong, fix="correct the environment or the option") from None
        home = _home(settings)
        if home.exists() and not home.is_dir():
            raise UsageError(f"{home} is a file, wanted a folder", fix="set RISK_HOME")
        return settings.model_copy(update={"home": home})


def _home(settings: Settings) -> Path:
    """The home of this domain. Raises UsageError if a pack's file name cannot be part of it, or a name is too long."""
    home, pack = str(settings.home), Path(settings.domain).stem
    if "{domain}" in home and not re.fullmatch(PACK_NAME, pack):
        raise UsageError(
            "the home is named after the domain pack, and the pack's file name cannot be part of it",
            f"found {pack!r}, wanted small letters, digits and _",
            fix="rename the pack's file, or set RISK_HOME to a folder without {domain}",
        )
    path = Path(home.replace("{domain}", pack)).absolute()
    if (longest := max(len(os.fsencode(part)) for part in path.parts)) > LONGEST_NAME:
        problem = f"a folder's name in the home's path has {longest} bytes, wanted at most {LONGEST_NAME}"
        raise UsageError(problem, fix="set RISK_HOME")
    return path


def _is_utf8(text: str) -> bool:
    """Whether the text is UTF-8. Other bytes of the environment arrive as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
