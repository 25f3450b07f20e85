"""The words of a verdict."""

from typing import Literal

Decision = Literal["confirmed", "dismissed", "unsure"]
IS_BAD: dict[Decision, bool | None] = {"confirmed": True, "dismissed": False, "unsure": None}  # None: no label
Scope = Literal["event", "day", "account"]
