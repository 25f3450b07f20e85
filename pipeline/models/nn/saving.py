"""Networks on disk: weights as safetensors, all else as JSON."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.models.parts import REPAIR, read_part, unreadable, write_part
from pipeline.models.tokens.fields import Fields
from pipeline.storage.files import write_atomically

WEIGHTS, FIELDS, ABOUT = "weights.safetensors", "fields.json", "about.json"
N = TypeVar("N", bound=nn.Module)
A = TypeVar("A", bound=BaseModel)


def save_network(folder: Path, model: nn.Module, fields: Fields, about: BaseModel) -> None:
    """Write weights.safetensors, fields.json and about.json."""
    write_weights(folder / WEIGHTS, model)
    fields.save(folder / FIELDS)
    write_part(folder / ABOUT, about)


def load_network(folder: Path, kind: type[A], build: Callable[[Fields, A], N]) -> tuple[N, Fields, A]:
    """What `save_network` wrote; `build` makes the empty network. Raises InputError if anything is damaged."""
    fields = Fields.load(folder / FIELDS)
    about = read_part(folder / ABOUT, kind)
    weights = read_weights(folder / WEIGHTS)
    return fill(build(fields, about), weights, folder / WEIGHTS), fields, about


def write_weights(path: Path, model: nn.Module) -> None:
    write_atomically(path, save({name: value.cpu().contiguous() for name, value in model.state_dict().items()}))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Raises InputError if the file is missing or damaged."""
    try:
        weights: dict[str, Tensor] = load_file(path)
    except Exception as error:  # safetensors raises its own type, and OSError
        raise unreadable(path, error) from None
    return weights


def fill(model: N, weights: Mapping[str, Tensor], path: Path) -> N:
    """The model with these weights, ready to score.

    Raises InputError if names, shapes or types differ from the model's, or a weight is not a finite number.
    """
    wanted = {name: (tuple(value.shape), value.dtype) for name, value in model.state_dict().items()}
    given = {name: (tuple(value.shape), value.dtype) for name, value in weights.items()}
    wrong = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if wrong:
        lines = [f"{name}: fields ask for {wanted.get(name)}, weights have {given.get(name)}" for name in wrong]
        raise InputError(f"{path.parent.name}/{path.name} does not fit the fields beside it", *lines, fix=REPAIR)
    not_finite = sorted(name for name, value in weights.items() if not value.isfinite().all())
    if not_finite:
        raise InputError(f"{path.parent.name}/{path.name} holds values that are not numbers", *not_finite, fix=REPAIR)
    model.load_state_dict(weights)
    return model.eval()
