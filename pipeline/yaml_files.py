"""Read YAML files that people write: packs and protocols. Errors name the file, line and field."""

import unicodedata
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import UsageError

MAX_BYTES = 256 * 1024  # the longest of ours has 2 KB
MAX_DEPTH = 20
LONGEST_SHOWN = 60  # characters of a value
ENDINGS = (".yml", ".yaml")
TEXT = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"


class Strict(BaseModel):
    """Part of such a file. An unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


M = TypeVar("M", bound=BaseModel)


def load(model: type[M], what: str, name: str, folder: Path) -> M:
    """The file at path `name`, or `<folder>/<name>.yml`. Raises UsageError if it is missing or wrong in any way."""
    path = (Path(name) if name.endswith(ENDINGS) else folder / f"{name}.yml").absolute()
    text = _text(path, what, name, folder)
    try:
        content = _Reader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        raise _wrong(what, path, _where(error), title="is not YAML that we read") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise _wrong(what, path, str(error).splitlines()[0], title="is not YAML that we read") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise _wrong(what, path, f"wanted fields such as `name: mine`, found {found}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _wrong(what, path, *(_fault(fault, model) for fault in error.errors())) from None


def _text(path: Path, what: str, name: str, folder: Path) -> str:
    try:
        if not path.exists():
            ours = ", ".join(sorted(file.stem for file in folder.glob("*.yml")))
            raise UsageError(
                f"no {what} {name!r}",
                f"looked for {path}",
                f"{what}s here: {ours}",
                fix=f"name one of these, or the path of a file that ends in {' or '.join(ENDINGS)}",
            )
        if not path.is_file():
            raise _wrong(what, path, "it is not a file", title="cannot be read")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _wrong(what, path, error.strerror or str(error), title="cannot be read") from None
    if len(content) > MAX_BYTES:
        raise _wrong(what, path, f"it is larger than {MAX_BYTES:,} bytes", title="cannot be read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _wrong(what, path, f"line {line}: a byte that is not UTF-8", title="cannot be read") from None


def _wrong(what: str, path: Path, *found: str, title: str = "is wrong") -> UsageError:
    return UsageError(f"{what} {path} {title}", *found, fix=f"correct {path}")


class _Reader(yaml.SafeLoader):
    """Safe YAML without aliases, tags, merge keys, duplicate keys or deep nesting.

    Without aliases a short file cannot grow. Without merge keys no line overrides another.
    """

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _at(event, f"the alias *{event.anchor} is not read: write out what it stands for")
        if self.depth == MAX_DEPTH:
            raise _at(event, f"deeper than {MAX_DEPTH} levels")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if getattr(event, "tag", None):
            raise _at(event, f"the tag {event.tag} is not read: leave it out")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        elif isinstance(node, yaml.ScalarNode) and any(map(_is_control, node.value)):
            raise _at(node, "a control character, or half of one that takes two")
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError):
            raise _at(node, f"{_short(node.value)} is no such number or date: put text in quotes") from None


def _check_keys(node: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag == MERGE:
            raise _at(key, "the merge key << is not read: write out what it stands for")
        if key.tag != TEXT:
            shown = _short(key.value) if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
            raise _at(key, f"a key is text, found {shown}: put it in quotes")
        if key.value in lines:
            raise _at(key, f"the key {_short(key.value)} is given twice, first on line {lines[key.value]}")
        lines[key.value] = key.start_mark.line + 1


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n"


def _at(place: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    words = ", ".join(part for part in (error.context, error.problem) if part)
    return f"line {mark.line + 1}: {words}" if mark else words


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def _fault(fault: ErrorDetails, model: type[BaseModel]) -> str:
    """One wrong field: where it is, what was wanted and, for simple values, what was found."""
    *parents, last = fault["loc"] or ("all of it",)
    place = ".".join(map(str, (*parents, last)))
    if fault["type"] == "extra_forbidden":
        return f"{place}: no such field; fields here: {', '.join(_fields(model, parents))}"
    words = fault["msg"].removeprefix("Value error, ")
    found = fault["input"]
    is_shown = isinstance(found, str | int | float) and fault["type"] != "value_error"
    return f"{place}: {words}, found {_short(found)}" if is_shown else f"{place}: {words}"


def _fields(model: type[BaseModel], parents: list[Any]) -> list[str]:
    for parent in parents:
        kind = model.model_fields[parent].annotation
        (model,) = (part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, BaseModel))
    return list(model.model_fields)
