"""A domain pack fits Dawnlist to one business. It is one YAML file; everything else is shared."""

import re
from typing import Any, Literal, get_args
from zoneinfo import available_timezones

from pydantic import Field, field_validator, model_validator

from pipeline.catalogue import check_features
from pipeline.settings import PACK_NAME, PROJECT
from pipeline.storage.files import digest
from pipeline.yaml_files import Strict, load

SourceType = Literal["string", "number", "timestamp", "boolean"]

# Roles: what an event type means to the features. A domain's own event types map to these.
Role = Literal[
    "browse", "search", "cart", "purchase", "login", "review", "refund", "coupon", "payment_failure", "adjustment"
]
ROLES: tuple[Role, ...] = get_args(Role)

# The public event contract: column -> type. All code takes columns and roles from here. dbt repeats them, and a test
# compares.
EVENT_COLUMNS: dict[str, SourceType] = {
    "event_id": "string",
    "user_id": "string",
    "event_at": "timestamp",
    "event_type": "string",
    "session_id": "string",
    "item_id": "string",
    "category": "string",
    "channel": "string",
    "amount": "number",
    "quantity": "number",
    "device_id": "string",
    "ip": "string",
    "payment_id": "string",
    "address_id": "string",
    "counterparty_id": "string",
}
REQUIRED_EVENT_COLUMNS = ("user_id", "event_at", "event_type")
DERIVED_EVENT_COLUMNS = {
    "event_type": "role",
    "ip": "network_id",
}  # column -> the column ingest derives from it

LABEL_COLUMNS: dict[str, SourceType] = {
    "user_id": "string",
    "event_id": "string",
    "happened_at": "timestamp",
    "ends_at": "timestamp",  # of a label about the account from happened_at on
    "known_at": "timestamp",
    "is_bad": "boolean",
    "typology": "string",
    "source": "string",
}
REQUIRED_LABEL_COLUMNS = ("user_id", "happened_at", "known_at", "is_bad")

# Entities tie accounts together. `network_id` is derived from `ip`.
ENTITIES = ("device_id", "network_id", "payment_id", "address_id", "counterparty_id")
SENSITIVE_BY_DEFAULT = ("device_id", "ip", "payment_id", "address_id")

TOKEN_CATEGORICAL = (
    *("event_type", "category", "channel", "local_hour", "weekday"),
    *(f"is_new_{name.removesuffix('_id')}" for name in ("category", *ENTITIES)),
)
TOKEN_NUMERIC = ("amount", "quantity", "gap_seconds")

# Base models a pack may ask for beside the autoencoder, which is in every bundle.
ALWAYS_IN = "lstm_autoencoder"
PACK_MODELS = (
    "novelty",
    "isolation_forest",
    "vae",
    "next_event",
    "lstm",
    "gru",
    "rnn",
    "cnn",
    "transformer",
    "pretrained",
)

MOST_DAYS = 28  # between two lists: features look back as far

MACHINE_TIMEZONES = {"localtime"}  # depends on the machine, and DuckDB does not know it


class Mapping(Strict):
    """How rows of a delivered file become rows of a contract.

    `source` names the columns we read and their types. Other columns are ignored.
    `columns` gives contract columns as DuckDB SQL expressions over the typed source columns. A contract column without
    an expression takes the source column of its name, if there is one.
    """

    source: dict[str, SourceType] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)

    @field_validator("source")
    @classmethod
    def told_apart_without_case(cls, value: dict[str, SourceType]) -> dict[str, SourceType]:
        if not all(value):
            raise ValueError("a source column has no name")
        seen: dict[str, str] = {}
        for name in value:
            if (other := seen.setdefault(name.lower(), name)) != name:
                raise ValueError(f"{other} and {name} differ only in case: SQL takes them for one column")
        return value


class Labels(Mapping):
    """How label files are read, and when labels count.

    `delay_days`: after this many days an event without a bad label counts as good.
    `learn_at`: train on a day once this share of its bad labels should have arrived; they are up-weighted for the rest.
    `reported`: the share of what is bad that is ever reported; an assumption. With 1, what has no label is good.
    `review_error`: the share of your reviewers' verdicts that are wrong. With 0, all are taken as they are.
    A label file may leave out user_id and happened_at if event_id names an ingested event.
    """

    delay_days: int = Field(30, ge=0, le=365)
    learn_at: float = Field(1.0, gt=0, le=1)
    reported: float = Field(1.0, gt=0, le=1)
    review_error: float = Field(0.0, ge=0, lt=0.5)

    @model_validator(mode="after")
    def errors_can_be_told(self) -> "Labels":
        if self.review_error and self.reported == 1:
            raise ValueError(
                "with review_error, reported must be below 1: or each verdict without a report is an error"
            )
        return self


class Token(Strict):
    """Fields of the sequence model's event token."""

    categorical: tuple[str, ...] = ("event_type", "category", "channel", "local_hour")
    numeric: tuple[str, ...] = ("amount", "gap_seconds")

    @model_validator(mode="after")
    def known_fields(self) -> "Token":
        unknown = [*(set(self.categorical) - set(TOKEN_CATEGORICAL)), *(set(self.numeric) - set(TOKEN_NUMERIC))]
        if unknown:
            raise ValueError(f"unknown token fields {sorted(unknown)}; known: {TOKEN_CATEGORICAL + TOKEN_NUMERIC}")
        return self


class Domain(Strict):
    """One business. Read with `Domain.load`; `digest` names its content for manifests."""

    name: str = Field(pattern=PACK_NAME)
    title: str = ""
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    timezone: str = "UTC"  # of source times that carry no offset, and of the hours we call night
    events: Mapping = Mapping()
    event_types: dict[str, Role] = Field(min_length=1)
    sensitive: tuple[str, ...] = SENSITIVE_BY_DEFAULT
    late_days: int = Field(3, ge=0, le=28)  # a day's events may arrive this many days late
    labels: Labels | None = None
    token: Token = Token()
    base_models: tuple[str, ...] = ()  # beside the autoencoder; used only where they help
    monotone: dict[str, Literal["rises", "falls"]] = Field(default_factory=dict)  # directions of the risk
    list_size: int = Field(100, ge=1, le=100_000)  # accounts that the team can review per list
    list_every: int = 1  # days between two lists; in YAML such as `7 days`
    audit_share: float = Field(0.05, ge=0, le=0.5)  # of list_size, for audit rows; none on lists of fewer than ten
    min_precision: float = Field(0.2, gt=0, lt=1)  # least expected precision of a list
    false_alarms: float = Field(3, gt=0, le=100_000)  # without labels: so many rows of a list on an ordinary day

    @field_validator("timezone")
    @classmethod
    def known_timezone(cls, value: str) -> str:
        if value not in available_timezones() - MACHINE_TIMEZONES:
            raise ValueError(f"unknown time zone {value!r}, wanted one like Europe/Berlin")
        return value

    @field_validator("sensitive")
    @classmethod
    def known_sensitive(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        allowed = {"user_id", "ip", "session_id", *ENTITIES} - {"network_id"}
        if unknown := sorted(set(value) - allowed):
            raise ValueError(f"cannot pseudonymise {unknown}; possible: {sorted(allowed)}")
        return value

    @field_validator("list_every", mode="before")
    @classmethod
    def in_days(cls, value: Any) -> int:
        words = re.fullmatch(r"([0-9]{1,2}) days?", value) if isinstance(value, str) else None
        if words is None or not 1 <= int(words[1]) <= MOST_DAYS:
            raise ValueError(f"wanted `1 day` to `{MOST_DAYS} days`, for example `7 days`")
        return int(words[1])

    @field_validator("base_models")
    @classmethod
    def known_base_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if ALWAYS_IN in value:
            raise ValueError(f"{ALWAYS_IN} is in every bundle: leave it out")
        if unknown := sorted(set(value) - set(PACK_MODELS)):
            raise ValueError(f"unknown base models {unknown}; known: {', '.join(PACK_MODELS)}")
        if len(set(value)) < len(value):
            raise ValueError("a base model is named twice")
        return value

    @field_validator("monotone")
    @classmethod
    def known_features(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_features(value)
        return value

    @property
    def monotone_signs(self) -> dict[str, int]:
        """As XGBoost wants them: 1 rises, -1 falls."""
        return {name: 1 if way == "rises" else -1 for name, way in self.monotone.items()}

    @property
    def digest(self) -> str:
        is_daily = self.list_every == 1  # then left out: packs without the key keep their digest
        return digest(self.model_dump(mode="json", exclude={"list_every"} if is_daily else None))

    def reviews_a_day(self, list_size: int | None = None) -> int:
        """Accounts that the team can review a day, with `list_size` in place of the pack's."""
        return max(1, (list_size or self.list_size) // self.list_every)

    @property
    def learn_at(self) -> float:
        """Share of a day's labels that should be known before it is learned from."""
        return self.labels.learn_at if self.labels else 1.0

    @property
    def reported_share(self) -> float:
        """Share of what is bad that is ever reported, as the pack assumes."""
        return self.labels.reported if self.labels else 1.0

    @property
    def review_error(self) -> float:
        """Share of verdicts that are wrong, as the pack assumes."""
        return self.labels.review_error if self.labels else 0.0

    @property
    def label_delay_days(self) -> int:
        return self.labels.delay_days if self.labels else 0

    @classmethod
    def load(cls, name: str) -> "Domain":
        """Read `domains/<name>.yml`, or the YAML file at path `name`. Raises UsageError if anything in it is wrong."""
        return load(cls, "domain pack", name, PROJECT / "domains")
