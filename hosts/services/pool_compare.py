"""One pool name across hosts: the same thing behind it, and the same volumes seen? From what was last read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hosts.facts.storage import PoolFacts, parse_pool
from hosts.facts.xml import parse_xml, text_of
from hosts.models import Host, PoolContents
from hosts.services.usage import find_pool

MOST_VOLUMES_NAMED: Final = 200


@dataclass(frozen=True, slots=True)
class PoolPlace:
    host: Host
    facts: PoolFacts
    contents: PoolContents | None
    volume_count: int | None  # None: never read


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One property; `values` in the order of the places, "" where it is not known."""

    label: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len({value for value in self.values if value}) > 1


@dataclass(frozen=True, slots=True)
class VolumeDifference:
    """A volume that not every host sees, or that they see otherwise. `seen` in the order of the places: size and format
    in words, "" where it is not there."""

    name: str
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PoolComparison:
    """`missing_on` are hosts that answer and have no pool of that name. Volumes are compared only where all places have
    been read and are the same storage: `volumes_compared`."""

    name: str
    places: tuple[PoolPlace, ...]
    rows: tuple[ComparedRow, ...]
    volumes_compared: bool
    volume_differences: tuple[VolumeDifference, ...]
    volume_difference_count: int
    missing_on: tuple[Host, ...]

    @property
    def same(self) -> bool:
        return not any(row.differs for row in self.rows) and not self.volume_difference_count

    @property
    def differing(self) -> tuple[ComparedRow, ...]:
        return tuple(row for row in self.rows if row.differs)


def compare_pool(name: str) -> PoolComparison:
    hosts = list(Host.objects.defer("credentials", "known_hosts").order_by("name"))
    read = {row.host_id: row for row in PoolContents.objects.filter(pool_name=name)}
    places = tuple(
        _place(host, facts, read.get(host.pk))
        for host in hosts
        if (facts := find_pool(host, name)) is not None
    )
    found = {place.host.pk for place in places}
    differences = _compare_volumes(places) if _comparable(places) else ()
    return PoolComparison(
        name=name, places=places, rows=_rows(places), volumes_compared=_comparable(places),
        volume_differences=differences[:MOST_VOLUMES_NAMED], volume_difference_count=len(differences),
        missing_on=tuple(host for host in hosts if host.facts is not None and host.pk not in found),
    )  # fmt: skip


def _place(host: Host, facts: PoolFacts, contents: PoolContents | None) -> PoolPlace:
    known = contents is not None and contents.read_at is not None
    return PoolPlace(host, facts, contents, contents.volumes.count() if known and contents else None)


def _rows(places: tuple[PoolPlace, ...]) -> tuple[ComparedRow, ...]:
    return tuple(ComparedRow(label, tuple(tell(place) for place in places)) for label, tell in _PROPERTIES)


def _permissions(place: PoolPlace) -> str:
    """As the definition has them: "mode 0711, owner 0, group 0"."""
    if place.contents is None or not place.contents.definition_xml:
        return ""
    root = parse_xml(place.contents.definition_xml, root="pool")
    told = ((name, text_of(root, f"target/permissions/{name}")) for name in ("mode", "owner", "group"))
    return ", ".join(f"{name} {value}" for name, value in told if value) or "libvirt's own"


def _definition_source(place: PoolPlace) -> str:
    """Of the definition, where it was read: what is active may be older."""
    if place.contents is not None and place.contents.definition_xml:
        return parse_pool(place.contents.definition_xml).source
    return place.facts.source


_PROPERTIES: Final[tuple[tuple[str, Callable[[PoolPlace], str]], ...]] = (
    ("Type", lambda place: place.facts.type),
    ("Source", _definition_source),
    ("Path", lambda place: place.facts.target_path),
    ("State", lambda place: "active" if place.facts.active else "inactive"),
    ("Autostart", lambda place: "on" if place.facts.autostart else "off"),
    ("Persistent", lambda place: "yes" if place.facts.persistent else "no"),
    ("Permissions", _permissions),
)


def _comparable(places: tuple[PoolPlace, ...]) -> bool:
    if len(places) < 2 or any(place.volume_count is None for place in places):
        return False
    first = places[0].facts
    same = {(place.facts.type, place.facts.source) for place in places} == {(first.type, first.source)}
    return same and first.shared_by_nature


def _compare_volumes(places: tuple[PoolPlace, ...]) -> tuple[VolumeDifference, ...]:
    """Without allocation, which grows between two readings."""
    seen = [_volumes(place) for place in places]
    names = sorted(set().union(*seen))
    return tuple(
        VolumeDifference(name, tuple(volumes.get(name, "") for volumes in seen))
        for name in names
        if len({volumes.get(name, "") for volumes in seen}) > 1
    )


def _volumes(place: PoolPlace) -> dict[str, str]:
    if place.contents is None:
        return {}
    rows = place.contents.volumes.values_list("name", "format", "capacity_bytes")
    return {name: f"{form or 'raw'}, {capacity} bytes" for name, form, capacity in rows}


def oldest_reading(comparison: PoolComparison) -> datetime | None:
    """How old what is shown is at worst; None: something was never read."""
    times = [place.contents.read_at if place.contents is not None else None for place in comparison.places]
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None
