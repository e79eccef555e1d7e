"""Facts ⇄ JSON-ready dictionaries, for storing what was read. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import cattrs

T = TypeVar("T")

_converter = cattrs.Converter(forbid_extra_keys=False)
_converter.register_unstructure_hook(datetime, lambda moment: moment.isoformat())
_converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))


def to_data(facts: Any) -> Any:
    """A frozen facts dataclass → dictionaries, lists, strings and numbers (what json.dumps takes)."""
    return _converter.unstructure(facts)


def from_data(data: Any, kind: type[T]) -> T:
    """The way back. Raises cattrs' ClassValidationError when stored data no longer fits the facts."""
    return _converter.structure(data, kind)
