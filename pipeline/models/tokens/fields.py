"""The fields of an event token: a vocabulary for each category, a scale for each number.

A category becomes a small whole number: 0 is missing, 1 is rare or never seen in training, 2 and up are the
vocabulary, most frequent first. A number becomes its signed logarithm in robust units of the training days. Exactly
zero becomes minus infinity, its logarithm; missing is NaN. No field ever depends on the days being scored.
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.models.parts import read_part, write_part

MISSING, UNSEEN, FIRST_KNOWN = 0, 1, 2
GAP = "gap_seconds"  # not stored: the time since the user's previous event in the same window
COLUMN = r"^[a-z][a-z0-9_]*$"  # names go into SQL


class CategoricalField(BaseModel):
    """A field with a vocabulary; value i of `values` has code i + 2."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=COLUMN)
    values: tuple[str, ...] = Field(max_length=254)  # codes fit a byte

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.values) + FIRST_KNOWN


class NumericField(BaseModel):
    """A number x other than zero becomes (sign(x) ln(1 + |x|) - median) / scale.

    Zeros are a kind of their own: a free item, two events at the same instant. One bell curve over zeros and other
    values would fit neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=COLUMN)
    median: float
    scale: float = Field(gt=0)


class Fields(BaseModel):
    """All fields of a token, categorical first: the order of surprise per field everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categorical: tuple[CategoricalField, ...]
    numeric: tuple[NumericField, ...]

    @model_validator(mode="after")
    def distinct_names(self) -> Self:
        if len(set(self.names)) != len(self.names) or not self.names:
            raise ValueError("a token needs fields, each with a name of its own")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return (*(field.name for field in self.categorical), *(field.name for field in self.numeric))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Codes per categorical field."""
        return tuple(field.size for field in self.categorical)

    @property
    def gap_column(self) -> int | None:
        """The place of the gap among the numeric fields, if the domain uses it."""
        return next((i for i, field in enumerate(self.numeric) if field.name == GAP), None)

    def save(self, path: Path) -> None:
        write_part(path, self)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises InputError if the file is missing or damaged."""
        return read_part(path, cls)
