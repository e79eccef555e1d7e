"""What a rule about options is, and the kinds of rules there are. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobs.options.model import Control, MoveOptions, Storage


@dataclass(frozen=True, slots=True)
class OptionProblem:
    """One thing wrong with a set of options. `fields` are all that take part, the one to change first."""

    rule: str
    fields: tuple[str, ...]
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    fields: tuple[str, ...]
    broken: Callable[[MoveOptions], bool]
    message: str
    remedy: str

    @property
    def problem(self) -> OptionProblem:
        return OptionProblem(self.name, self.fields, self.message, self.remedy)


def copies(options: MoveOptions) -> bool:
    return options.storage is not Storage.SHARED


def tunnelled(options: MoveOptions) -> bool:
    return options.control is Control.TUNNELLED


def needs(field: str, label: str, other: str, other_label: str) -> Rule:
    """`field` is set although `other` is not."""
    return Rule(
        f"{field.replace('_', '-')}-needs-{other.replace('_', '-')}",
        (field, other),
        lambda options: bool(getattr(options, field)) and not getattr(options, other),
        f"“{label}” needs “{other_label}”.",
        f"Choose “{other_label}” too, or take “{label}” away.",
    )


def needs_copy(field: str, label: str) -> Rule:
    return Rule(
        f"{field.replace('_', '-')}-needs-copy",
        (field, "storage"),
        lambda options: bool(getattr(options, field)) and not copies(options),
        f"“{label}” needs copied storage; libvirt would ignore it without a word.",
        "Choose to copy disks, or take it away.",
    )


def not_tunnelled(field: str, label: str, default: object) -> Rule:
    return Rule(
        f"tunnelled-excludes-{field.replace('_', '-')}",
        (field, "control"),
        lambda options: tunnelled(options) and getattr(options, field) != default,
        f"A tunnelled move cannot have “{label}”.",
        "Choose peer to peer; use TLS for encryption.",
    )


def excludes(name: str, fields: tuple[str, str], broken: Callable[[MoveOptions], bool], message: str) -> Rule:
    return Rule(name, fields, broken, message, "Choose one of the two.")
