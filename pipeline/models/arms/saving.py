"""Networks on disk: weights as safetensors, all else as JSON. Nothing here is pickled."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.files import write_atomically
from pipeline.models.fields import Fields

FIX = "roll back to another bundle, or train again"
N = TypeVar("N", bound=nn.Module)
C = TypeVar("C", bound=BaseModel)


def save_network(folder: Path, model: nn.Module, fields: Fields, about: BaseModel) -> None:
    """Write weights.safetensors, fields.json and arm.json."""
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_atomically(folder / "weights.safetensors", save(weights))
    fields.save(folder / "fields.json")
    save_about(folder, about)


def load_network(folder: Path, kind: type[C], build: Callable[[Fields, C], N]) -> tuple[N, Fields, C]:
    """What `save_network` wrote, `build` giving the network its shape. Raises InputError if anything is damaged."""
    fields = Fields.load(folder / "fields.json")
    about = load_about(folder, kind)
    try:
        weights = load_file(folder / "weights.safetensors")
    except Exception as error:  # safetensors raises its own type, and OSError
        raise InputError(f"cannot read the weights in {folder.name}", str(error), fix=FIX) from None
    model = build(fields, about)
    check_fit(f"the weights in {folder.name}", model, weights)
    model.load_state_dict(weights)
    return model.eval(), fields, about


def save_about(folder: Path, about: BaseModel) -> None:
    write_atomically(folder / "arm.json", about.model_dump_json(indent=1) + "\n")


def load_about(folder: Path, kind: type[C]) -> C:
    """Raises InputError if arm.json is missing or is not ours."""
    try:
        return kind.model_validate_json((folder / "arm.json").read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read arm.json in {folder.name}", str(error).splitlines()[0], fix=FIX) from None


def check_fit(what: str, model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Raises InputError if `weights` are not the model's, by name and shape, or not all of them are numbers."""
    wanted = {name: (tuple(value.shape), value.dtype) for name, value in model.state_dict().items()}
    found = {name: (tuple(value.shape), value.dtype) for name, value in weights.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        lines = [f"{name}: fields ask for {wanted.get(name)}, weights have {found.get(name)}" for name in wrong]
        raise InputError(f"{what} do not fit the fields", *lines, fix=FIX)
    unreadable = sorted(name for name, value in weights.items() if not value.isfinite().all())
    if unreadable:
        raise InputError(f"{what} hold values that are not numbers", *unreadable, fix=FIX)
