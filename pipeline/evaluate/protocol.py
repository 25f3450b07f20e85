"""Protocols: which days models learn from, which they are tested on, and by what rules. YAML files in protocols/."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipeline.catalogue import check_features
from pipeline.domain import ALWAYS_IN, PACK_MODELS
from pipeline.settings import PROJECT, possible_day
from pipeline.yaml_files import Strict, load

FOLDER = PROJECT / "protocols"
Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # names go into SQL

Day = Annotated[date, AfterValidator(possible_day)]


def _known_base_models(names: tuple[str, ...]) -> tuple[str, ...]:
    known = (ALWAYS_IN, *PACK_MODELS)
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"unknown base models {unknown}; known: {', '.join(known)}")
    return names


BaseModels = Annotated[tuple[str, ...], AfterValidator(_known_base_models)]


class LearningCurve(Strict):
    """Sizes of the set of known bad accounts; each is drawn `repeats` times."""

    labels: tuple[Annotated[int, Field(ge=1)], ...] = (20, 50, 200)
    repeats: Annotated[int, Field(ge=1)] = 3
    base_models: BaseModels = ()


class Simulation(Strict):
    """The shop to simulate, as in `dawnlist simulate`."""

    users: int = Field(ge=1)
    days: int = Field(ge=1)
    seed: int = Field(ge=0)
    first_day: Day
    bad_share: float = 0.005


class SequenceColumns(Strict):
    """The columns of a file of sequences: one row per user and step. A user's label and split are the same on all rows.

    An event has a flag or not (its column is above 0), and one value of each category and each number.
    """

    user: Column
    step: Column
    label: Column  # 1 or true: bad
    split: Column  # train, valid or test; users are told apart within their split
    flags: tuple[Column, ...] = ()
    categories: tuple[Column, ...] = ()
    numbers: tuple[Column, ...] = ()

    @model_validator(mode="after")
    def has_fields(self) -> Self:
        names = (*self.flags, *self.categories, *self.numbers)
        if not names or len(set(names)) < len(names):
            raise ValueError("a sequence needs fields, each named once among flags, categories and numbers")
        return self


class Protocol(Strict):
    """How lists are tested. `kind`: real or simulated events, sequences without a clock, or injected anomalies.

    Files are relative to the data folder. Models learn from what was known at the end of `until`. An account reported
    before a test day (for something since `known_since`) is not in that day's test. True labels are those known at the
    end of `truth_until`, or the simulation's own. `groups` are shown beside the typologies: they name typologies, or in
    a simulation `typology/variant`.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    title: str
    kind: Literal["events", "sequences", "injected"] = "events"
    domain: str = ""
    events: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    simulate: Simulation | None = None
    until: Day | None = None
    test: tuple[Day, Day] | None = None
    truth_until: Day | None = None
    known_since: Day | None = None
    reviews: int = Field(100, ge=1)
    peer: Literal["handbook"] | None = None
    baselines: tuple[str, ...] = ()  # single features
    groups: dict[Annotated[str, Field(min_length=1)], tuple[str, ...]] = Field(default_factory=dict)
    base_models: BaseModels = ()
    notes: tuple[str, ...] = ()  # shown first in the report
    sequence: SequenceColumns | None = None
    steps: int = Field(12, ge=1)  # the first ones of each sequence
    learning_curve: LearningCurve = LearningCurve()

    @field_validator("baselines")
    @classmethod
    def known_features(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_features(value)
        return value

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.kind == "sequences":
            if self.sequence is None:
                raise ValueError(
                    "sequence must name columns: user, step, label, split, and some of flags, categories and numbers"
                )
            if len(self.events) != 1:
                raise ValueError("events must name the one file of sequences")
            return self
        if not self.domain:
            raise ValueError("domain is needed where events have a clock")
        if self.until is None or self.test is None:
            raise ValueError("until and test are needed where events have a clock")
        if not self.until < self.test[0] <= self.test[1]:
            raise ValueError(f"the test must come after until: {self.until}, {self.test[0]}, {self.test[1]}")
        self._check_groups()
        if self.kind == "injected" and (len(self.events) != 1 or not self.baselines):
            raise ValueError("where anomalies are injected, events must name the one file and baselines a feature")
        if bool(self.events) == (self.simulate is not None):
            raise ValueError("either events or simulate, not both")
        return self

    def _check_groups(self) -> None:
        """A simulation has known typologies and variants. Real labels may have any typology, and have no variants."""
        asked = {kind for kinds in self.groups.values() for kind in kinds}
        if self.simulate is None:
            wrong = {kind for kind in asked if "/" in kind}
            known = "names of typologies, as the labels have them"
        else:
            from pipeline.simulate.typologies import TYPOLOGIES

            kinds = {f"{name}/{each.name}" for name, process in TYPOLOGIES.items() for each in process.variants}
            wrong = asked - kinds - set(TYPOLOGIES)
            known = ", ".join(TYPOLOGIES) + ", or one of their variants, like bots/scraper"
        if wrong:
            raise ValueError(f"groups name {sorted(wrong)}; known: {known}")

    @classmethod
    def load(cls, name: str) -> Self:
        """Read `protocols/<name>.yml`, or the YAML file at path `name`. Raises UsageError naming each wrong field."""
        return load(cls, "protocol", name, FOLDER)
