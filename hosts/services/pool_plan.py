"""What bringing one pool in line with its template takes, from one reading of the host. Changes nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hosts.facts.pool_drift import Difference, compare_definitions
from hosts.facts.storage import PoolFacts, parse_pool
from hosts.storage_ports import PoolReading

# Building these makes a folder. Building others writes to devices, which nobody has asked for by applying a template.
FOLDER_TYPES: Final = frozenset({"dir", "fs", "netfs"})
# While these are mounted, libvirt tells the permissions of what is mounted, not those of its definition.
_MOUNTED_TYPES: Final = frozenset({"fs", "netfs"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pool as the template wants it on one host: variables filled in."""

    pool_name: str
    xml: str
    autostart: bool

    @property
    def type(self) -> str:
        return parse_pool(self.xml).type


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Every False is something that is right already."""

    differences: tuple[Difference, ...]
    missing: bool
    define: bool
    stop: bool  # it is active as something else
    build: bool
    start: bool
    autostart: bool

    @property
    def needed(self) -> bool:
        return self.define or self.start or self.autostart


def plan_pool(wanted: Wanted, reading: PoolReading | None) -> PoolPlan:
    if reading is None:
        return PoolPlan((), True, True, False, wanted.type in FOLDER_TYPES, True, wanted.autostart)
    facts = reading.facts
    differences = find_differences(wanted, reading.definition_xml, facts) if reading.definition_xml else ()
    # Somebody may have redefined it since it was started: what runs then is still the old one.
    live = find_differences(wanted, reading.live_xml, facts) if facts.active and reading.live_xml else ()
    stop = facts.active and bool(differences or live)
    start = stop or not facts.active
    return PoolPlan(
        differences=differences or live,
        missing=False,
        define=bool(differences) or not reading.definition_xml,
        stop=stop,
        build=start and wanted.type in FOLDER_TYPES,
        start=start,
        autostart=facts.autostart != wanted.autostart,
    )


def find_differences(wanted: Wanted, actual_xml: str, facts: PoolFacts) -> tuple[Difference, ...]:
    """Element by element, without what the host cannot be asked about while the pool is mounted."""
    found = compare_definitions(wanted.xml, actual_xml)
    if facts.active and facts.type in _MOUNTED_TYPES:
        return tuple(item for item in found if "permissions" not in item.element)
    return found


def tell_differences(differences: tuple[Difference, ...]) -> str:
    return "; ".join(
        f"{item.element}: {item.actual or 'nothing'} → {item.wanted or 'nothing'}" for item in differences
    )
