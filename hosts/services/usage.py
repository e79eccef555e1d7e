"""Which guests use a pool or a volume, from the stored inventory. The worker asks the host again before it acts.

A guest of another host counts where both pools are the same network storage. A disk counts with every layer below it:
the definition of a guest that is off does not name them, so they are looked up among the volumes that were read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from hosts.facts.codec import from_data
from hosts.facts.domain import ACTIVE_STATES, DiskFacts, DomainState
from hosts.facts.storage import PoolFacts
from hosts.models import Guest, Host, Volume

# Pools whose volumes are devices below /dev that other pools' volumes may lie beside.
DEVICE_TYPES: Final = frozenset({"iscsi", "scsi", "mpath", "disk"})
# Pools whose volumes QEMU reaches by itself: they have a name and no path on the host.
NAMED_TYPES: Final = frozenset({"rbd", "gluster", "iscsi-direct", "sheepdog"})

_AT_ONCE: Final = 500  # values in one question: SQLite takes a limited number


@dataclass(frozen=True, slots=True)
class Use:
    """One disk of one guest. `path`: the volume, as the host that was asked about names it."""

    guest: Guest
    disk: str  # target: vda
    path: str

    @property
    def running(self) -> bool:
        return DomainState(self.guest.state) in ACTIVE_STATES


Place = tuple[Host, PoolFacts]
"""One pool on one host."""


def find_pool(host: Host, pool_name: str) -> PoolFacts | None:
    """The pool as the host last told it."""
    pools = host.facts.pools if host.facts is not None else ()
    return next((pool for pool in pools if pool.name == pool_name), None)


def users_of_pool(host: Host, pool_name: str) -> tuple[Use, ...]:
    """Every disk of every guest that lies in the pool, those of running guests first."""
    places = _places(host, pool_name)
    base = _base(places[0][1]) if places else ""
    return _sorted(use for place in places for use in _uses(place, base))


def users_here(host: Host, pool_name: str) -> tuple[Use, ...]:
    """Only those of this host's own guests, which are the ones that lose the pool when it stops here."""
    facts = find_pool(host, pool_name)
    return () if facts is None else _sorted(_uses((host, facts), _base(facts)))


def _sorted(uses: Iterable[Use]) -> tuple[Use, ...]:
    found = {(use.guest.pk, use.disk, use.path): use for use in uses}
    return tuple(sorted(found.values(), key=_running_first))


def users_by_path(host: Host, pool_name: str) -> Mapping[str, tuple[Guest, ...]]:
    """Path of a volume on this host → the guests that use it, by themselves or as a layer of another."""
    found: dict[str, dict[int, Guest]] = {}
    for use in users_of_pool(host, pool_name):
        found.setdefault(use.path, {})[use.guest.pk] = use.guest
    return {path: tuple(guests.values()) for path, guests in found.items()}


def users_of_volume(host: Host, pool_name: str, volume_name: str) -> tuple[Use, ...]:
    path = find_volume_path(host, pool_name, volume_name)
    return tuple(use for use in users_of_pool(host, pool_name) if use.path == path)


def volumes_on_top(host: Host, pool_name: str, volume_name: str) -> tuple[str, ...]:
    """Names of the volumes whose layer below this one is, in any pool of the host."""
    path = find_volume_path(host, pool_name, volume_name)
    rows = Volume.objects.filter(contents__host=host, backing_path=path).exclude(backing_path="")
    return tuple(rows.values_list("name", flat=True)[:20])


def find_volume_path(host: Host, pool_name: str, volume_name: str) -> str:
    """As it was read; else as it must be by the pool's folder."""
    row = Volume.objects.filter(contents__host=host, contents__pool_name=pool_name, name=volume_name).first()
    if row is not None:
        return row.path
    pool = find_pool(host, pool_name)
    return posixpath.join(_base(pool), volume_name) if pool is not None else volume_name


def name_guests(uses: tuple[Use, ...]) -> str:
    """ "web01 on mercury (running), web02 on jupiter": a few of them, and how many more."""
    names = list(dict.fromkeys(_words(use) for use in uses))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _words(use: Use) -> str:
    return f"{use.guest.name} on {use.guest.host.name}" + (f" ({use.guest.state})" if use.running else "")


def _running_first(use: Use) -> tuple[bool, str, str, str]:
    return not use.running, use.guest.name, use.guest.host.name, use.disk


def _places(host: Host, pool_name: str) -> list[Place]:
    """The pool itself, and the same network storage on other hosts. Empty when the host never told of it."""
    facts = find_pool(host, pool_name)
    if facts is None:
        return []
    if not facts.shared_by_nature or facts.source == facts.type:
        return [(host, facts)]
    others = Host.objects.exclude(pk=host.pk).exclude(facts_data=None).defer("credentials", "known_hosts")
    return [(host, facts), *((other, pool) for other in others for pool in _same(other, facts))]


def _same(other: Host, facts: PoolFacts) -> list[PoolFacts]:
    pools = other.facts.pools if other.facts is not None else ()
    return [pool for pool in pools if (pool.type, pool.source) == (facts.type, facts.source)]


def _uses(place: Place, asked_base: str) -> Iterator[Use]:
    """`asked_base`: what paths begin with on the host that was asked about."""
    host, facts = place
    disks = list(_disks_of(host))
    named = _read_named(host, [disk for _, disk in disks])
    chains = [(guest, disk, {_top(host, disk, named), *disk.backing_paths} - {""}) for guest, disk in disks]
    below = _read_layers(host, set().union(*(paths for _, _, paths in chains)))
    everything = {path for _, _, paths in chains for path in paths} | set(below.values())
    inside = _those_inside(place, everything)
    for guest, disk, paths in chains:
        for path in _with_layers(paths, below) & inside:
            yield Use(guest, disk.target, _as_asked(path, _base(facts), asked_base))


def _disks_of(host: Host) -> Iterator[tuple[Guest, DiskFacts]]:
    """Only the disks are parsed: pages ask this of hundreds of guests."""
    guests = Guest.objects.present().filter(host_id=host.pk).select_related("host")
    for guest in guests.defer(
        "host__credentials", "host__known_hosts", "host__facts_data", "host__probe_data"
    ):
        for data in guest.reading_data["facts"]["disks"]:
            yield guest, from_data(data, DiskFacts)


def _read_named(host: Host, disks: list[DiskFacts]) -> dict[tuple[str, str], str]:
    """(pool, volume) → path, of disks that name a volume instead of a path."""
    names = {disk.volume for disk in disks if disk.volume}
    found = {}
    for some in _batches(names):
        rows = Volume.objects.filter(contents__host_id=host.pk, name__in=some)
        for pool_name, name, path in rows.values_list("contents__pool_name", "name", "path"):
            found[pool_name, name] = path
    return found


def _top(host: Host, disk: DiskFacts, named: Mapping[tuple[str, str], str]) -> str:
    if not disk.volume:
        return disk.source_path or disk.network_source.partition(":")[2]
    known = named.get((disk.pool, disk.volume), "")
    pool = None if known else find_pool(host, disk.pool)
    return posixpath.join(_base(pool), disk.volume) if pool is not None else known


def _read_layers(host: Host, paths: set[str]) -> dict[str, str]:
    """Path → path of the layer below it, for these and all that lie below them."""
    found: dict[str, str] = {}
    unseen = paths
    while unseen:
        below: dict[str, str] = {}
        for some in _batches(unseen):
            rows = Volume.objects.filter(contents__host_id=host.pk, path__in=some).exclude(backing_path="")
            below |= {
                path: _absolute(layer, path) for path, layer in rows.values_list("path", "backing_path")
            }
        found |= below
        unseen = set(below.values()) - found.keys() - paths
        paths = paths | unseen
    return found


def _batches(texts: set[str]) -> Iterator[list[str]]:
    ordered = sorted(texts)
    yield from (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))


def _with_layers(paths: set[str], below: Mapping[str, str]) -> set[str]:
    """However the images point at each other, each once."""
    waiting, seen = list(paths), set[str]()
    while waiting:
        path = waiting.pop()
        if path and path not in seen:
            seen.add(path)
            waiting.append(below.get(path, ""))
    return seen


def _those_inside(place: Place, paths: set[str]) -> set[str]:
    host, facts = place
    base = _base(facts)
    inside = (
        set() if facts.type in DEVICE_TYPES or not base else {p for p in paths if _lies_in(facts, base, p)}
    )
    for some in _batches(paths - inside):
        rows = Volume.objects.filter(contents__host_id=host.pk, contents__pool_name=facts.name, path__in=some)
        inside.update(rows.values_list("path", flat=True))
    return inside


def _lies_in(facts: PoolFacts, base: str, path: str) -> bool:
    """What lies in a folder below that of a dir pool is no volume of it; what is mounted is used with all that is in
    it."""
    return posixpath.dirname(path) == base if facts.type == "dir" else path.startswith(base + "/")


def _as_asked(path: str, base: str, asked_base: str) -> str:
    """The same volume where the pool has another path on the host that was asked about."""
    if base == asked_base or not base or not asked_base or not path.startswith(base + "/"):
        return path
    return asked_base + path.removeprefix(base)


def _base(facts: PoolFacts) -> str:
    """What the paths of its volumes begin with."""
    if facts.type in NAMED_TYPES:
        return re.split(r"[: ]", facts.source)[-1].strip("/")
    return facts.target_path.rstrip("/")


def _absolute(below: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), below))
