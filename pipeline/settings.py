"""Settings are read once, from the environment (`RISK_*`) or the command line, and passed on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import UsageError

PROJECT = Path(__file__).resolve().parent.parent
NOT_IN_A_HOME = "\\?#{}"  # DuckDB and dbt read these in a path as a slash, as options or as a template


class Settings(BaseSettings):
    """Everything a run needs to know that is neither data nor domain. `RISK_HOME` may contain `{domain}`."""

    model_config = SettingsConfigDict(env_prefix="RISK_", frozen=True, extra="ignore")

    home: Path = Field(Path("data"), description="Where everything is kept.")
    domain: str = Field("shop", description="Name of a pack in domains/, or the path of a YAML file.")
    list_size: int | None = Field(None, ge=1, le=100_000, description="Accounts reviewed per day; default: the pack's.")
    min_bad_labels: int = Field(50, ge=10, description="Matured bad user-days needed before the stacker is used.")
    train_days: int = Field(60, ge=7, le=730, description="Days of user-days a training run looks back.")
    seed: int = Field(7, ge=0)
    threads: int = Field(2, ge=1, le=256)
    memory_limit: str = Field(
        "2500MB", pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$", description="DuckDB's."
    )
    max_file_bytes: int = Field(64 * 2**30, ge=1, description="Largest input file, after decompression.")
    lock_seconds: float = Field(5, ge=0, description="How long to wait for a busy home before giving up.")
    key: SecretStr | None = Field(None, description="Pseudonymisation key; created in the home if absent.")
    postgres_dsn: SecretStr | None = Field(None, description="Where to upsert published lists, if anywhere.")
    now: AwareDatetime | None = Field(None, description="Pretend it is this time: for replays and tests.")

    @field_validator("home", mode="before")
    @classmethod
    def a_folder_every_part_can_open(cls, value: Any) -> Any:
        if not str(value).strip():
            raise ValueError("it names no folder")
        path = str(Path(str(value).replace("{domain}", "")).absolute())
        if odd := sorted(set(path) & set(NOT_IN_A_HOME)):
            raise ValueError(f"dbt and DuckDB open no database in a folder with {' '.join(odd)} in its path")
        return value

    @field_validator("now")
    @classmethod
    def in_utc(cls, value: datetime | None) -> datetime | None:
        return value.astimezone(UTC) if value else None

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
        domain = Path(settings.domain).stem
        home = Path(str(settings.home).replace("{domain}", domain)).absolute()
        return settings.model_copy(update={"home": home})
