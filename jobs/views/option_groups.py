"""The options of the table as the dialog lays them out: groups of fields with the kinds they fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from jobs.options import OPTIONS, Group, Option, Value, find_option

# These have places of their own in the dialog.
_ELSEWHERE = {"kind", "persistent", "undefine_source", "storage", "storage_map", "remove_source_disks"}

# Value of `stays`, title, help, and whether it is not for an offline move, which needs a persistent copy.
STAYS_CHOICES = (
    (
        "for-good",
        "Nothing: move for good",
        "Defined at the destination; the definition at the source is removed.",
        False,
    ),
    ("keep", "A definition at the source", "Defined on both hosts; only one may run.", False),
    (
        "temporary",
        "Temporary move",
        "Gone from the destination when it stops; the source keeps its definition.",
        True,
    ),
    (
        "nowhere",
        "Defined nowhere",
        "Neither host keeps a definition. Has to be confirmed by name.",
        True,
    ),
)


@dataclass(frozen=True, slots=True)
class OptionField:
    option: Option
    bound: forms.BoundField

    @property
    def kinds(self) -> str:
        return " ".join(sorted(kind.value for kind in self.option.kinds))

    @property
    def value(self) -> Any:
        return self.bound.value()

    @property
    def is_list(self) -> bool:
        return self.option.value is Value.NAMES and bool(self.option.choices)

    @property
    def kind(self) -> str:
        """Which control it becomes: switch, choice, number, xml, list (boxes) or text."""
        if self.is_list:
            return "list"
        return "text" if self.option.value is Value.NAMES else self.option.value.value


@dataclass(frozen=True, slots=True)
class OptionGroup:
    name: str
    fields: tuple[OptionField, ...]


def build_groups(form: forms.Form) -> tuple[OptionGroup, ...]:
    """The Advanced part, in the order of the table."""
    groups = []
    for group in Group:
        fields = tuple(
            OptionField(option, form[option.field])
            for option in OPTIONS
            if option.group is group and option.field not in _ELSEWHERE
        )
        if fields:
            groups.append(OptionGroup(group.value, fields))
    return tuple(groups)


def list_choices(field: str) -> list[tuple[str, str, str]]:
    """Value, title and help of each choice of an option."""
    option = find_option(field)
    return [(choice.value, choice.label, choice.help) for choice in option.choices] if option else []
