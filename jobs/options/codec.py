"""Options from outside (JSON, cleaned forms, command line) and back. Pure.

Strict: what is not understood is an error.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobs.options.model import Control, Kind, MoveOptions, Storage, TimeoutAction
from jobs.options.shape import Value
from jobs.options.table import OPTIONS

_ENUMS: Final[dict[str, type[enum.StrEnum]]] = {
    "kind": Kind,
    "control": Control,
    "storage": Storage,
    "timeout_action": TimeoutAction,
}


@dataclass(frozen=True, slots=True)
class OptionError:
    """One value that could not be understood, for the field it stands beside."""

    field: str
    message: str


class InvalidOptions(ValueError):
    """Data that is no set of options. `errors` holds all of what is wrong, not the first only."""

    def __init__(self, errors: tuple[OptionError, ...]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


def parse_options(data: Mapping[str, object]) -> MoveOptions:
    """Types only; ranges and combinations are `check_options`' part. A missing field has its default.
    None stands for a number not given, never for a switch. Raises InvalidOptions."""
    errors: list[OptionError] = []
    values: dict[str, Any] = {}
    for field, raw in data.items():
        try:
            values[str(field)] = _parse_value(str(field), raw)
        except ValueError as error:
            errors.append(OptionError(str(field), str(error)))
    if errors:
        raise InvalidOptions(tuple(errors))
    return MoveOptions(**values)


def dump_options(options: MoveOptions) -> dict[str, Any]:
    """All fields, as JSON knows them; parse_options takes them back unchanged."""
    return {
        field.name: _dump_value(getattr(options, field.name)) for field in dataclasses.fields(MoveOptions)
    }


def _dump_value(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _parse_value(field: str, raw: object) -> object:
    if field in _ENUMS:
        return _parse_choice(_ENUMS[field], raw)
    parser = _FIELD_PARSERS.get(field)
    if parser is None:
        raise ValueError("There is no such option.")
    return parser(raw)


def _parse_choice(choices: type[enum.StrEnum], raw: object) -> enum.StrEnum:
    try:
        return choices(_parse_text(raw))
    except ValueError as error:
        known = ", ".join(choice.value for choice in choices)
        raise ValueError(f"Must be one of: {known}.") from error


def _parse_switch(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("Must be true or false.")
    return raw


def _parse_number(raw: object) -> int | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError("Must be a whole number.")
    return raw


def _parse_text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("Must be text.")
    return raw


def _parse_names(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple) or not all(isinstance(name, str) for name in raw):
        raise ValueError("Must be a list of names.")
    return tuple(raw)


_PARSERS: Final[dict[Value, Callable[[object], object]]] = {
    Value.SWITCH: _parse_switch,
    Value.NUMBER: _parse_number,
    Value.TEXT: _parse_text,
    Value.XML: _parse_text,
    Value.NAMES: _parse_names,
}
_FIELD_PARSERS: Final[dict[str, Callable[[object], object]]] = {
    option.field: _PARSERS[option.value] for option in OPTIONS if option.value in _PARSERS
} | {"confirmed_name": _parse_text}
