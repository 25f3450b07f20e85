"""A receipt accounts for every row of a step."""

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict


class Receipt(BaseModel):
    """What a step did. For ingest: read = accepted + refused + duplicates, checked on creation."""

    model_config = ConfigDict(frozen=True)

    step: str
    day: date | None = None
    read: int | None = None
    accepted: int | None = None
    refused: int | None = None
    duplicates: int | None = None
    details: dict[str, Any] = {}
    warnings: list[str] = []

    def model_post_init(self, _: Any) -> None:
        if self.read is not None:
            parts = (self.accepted or 0, self.refused or 0, self.duplicates or 0)
            if self.read != sum(parts):
                raise AssertionError(f"{self.step}: read {self.read} rows, but accounted for {sum(parts)}")
