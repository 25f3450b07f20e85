"""The parts of a bundle on disk: JSON and safetensors. Nothing is pickled."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from pipeline.errors import InputError
from pipeline.storage.files import write_atomically

REPAIR = "roll back to another bundle, or train again"
M = TypeVar("M", bound=BaseModel)


def write_part(path: Path, part: BaseModel) -> None:
    """One value per line, so that two parts can be compared by eye."""
    write_atomically(path, part.model_dump_json(indent=1) + "\n")


def read_part(path: Path, kind: type[M]) -> M:
    """Raises InputError if the file is missing or does not hold a `kind`."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> InputError:
    """The refusal of a part that is missing or damaged."""
    return InputError(f"cannot read {path.parent.name}/{path.name}", str(error).splitlines()[0], fix=REPAIR)
