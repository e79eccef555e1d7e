"""A scenario: one obstacle (or none) on real hosts, what the preflight must say of it, and what is deliberate."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.jobs.preflight.agreement.bench import Bench

Arrange = Callable[[Bench], Mapping[str, Any] | None]


class Outcome(enum.StrEnum):
    """What a real migration came to, as both hosts show it."""

    MOVED = "moved"
    REFUSED = "refused"  # the guest is where it was, as it was
    BROKEN = "broken"  # the guest is lost, stopped, or without its disk or medium


@dataclass(frozen=True, slots=True)
class Scenario:
    """`arrange` makes the obstacle and returns the options of the move. `says`: the checks that must speak.

    `on_purpose` is the reason why the preflight may differ from libvirt here; a scenario that has one must differ.
    """

    slug: str
    group: str
    title: str
    says: tuple[str, ...]
    arrange: Arrange
    on_purpose: str = ""


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    group: str,
    title: str,
    *says: str,
    on_purpose: str = "",
) -> Callable[[Arrange], Arrange]:
    """Register a scenario under the function's name. Without `says`, no blocker may be spoken."""

    def register(arrange: Arrange) -> Arrange:
        slug = arrange.__name__.replace("_", "-")
        if slug in SCENARIOS:
            raise ValueError(f"Two scenarios are named {slug}.")
        SCENARIOS[slug] = Scenario(slug, group, title, says, arrange, on_purpose)
        return arrange

    return register
