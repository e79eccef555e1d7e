"""Which guests use a pool or a volume, from the stored inventory. The worker asks the host again before it acts.

A guest of another host counts where both pools are the same network storage. A disk counts with every layer below it:
the definition of a guest that is off does not name them, so they are looked up among the volumes that were read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import F

from hosts.facts.codec import from_data
from hosts.facts.domain import ACTIVE_STATES, DiskFacts, DomainState
from hosts.facts.storage import PoolFacts
from hosts.models import Guest, Host, Volume
from hosts.services.volume_lookup import VolumeLookup

# Pools whose volumes are devices below /dev that other pools' volumes may lie beside.
DEVICE_TYPES: Final = frozenset({"iscsi", "scsi", "mpath", "disk"})
# Pools whose volumes QEMU reaches by itself: they have a name and no path on the host.
NAMED_TYPES: Final = frozenset({"rbd", "gluster", "iscsi-direct", "sheepdog"})


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
Chain = tuple[Guest, DiskFacts, set[str]]
"""A disk, and the paths of all its layers."""
Spot = tuple[int, str]
"""Key of a host, and a path there."""
Named = tuple[int, str, str]
"""Key of a host, a pool's name, a volume's."""


def find_pool(host: Host, pool_name: str) -> PoolFacts | None:
    """The pool as the host last told it."""
    pools = host.facts.pools if host.facts is not None else ()
    return next((pool for pool in pools if pool.name == pool_name), None)


def users_of_pool(host: Host, pool_name: str) -> tuple[Use, ...]:
    """Every disk of every guest that lies in the pool, those of running guests first."""
    return users_everywhere([host], pool_name)


def users_everywhere(hosts: Iterable[Host], pool_name: str) -> tuple[Use, ...]:
    """The same for the pool of several hosts. Paths are those of the first host that has it."""
    places = _places(hosts, pool_name)
    return _sorted(_uses(places, _base(places[0][1]))) if places else ()


def users_here(host: Host, pool_name: str) -> tuple[Use, ...]:
    """Only those of this host's own guests, which are the ones that lose the pool when it stops here."""
    return users_on_each([host], pool_name).get(host.pk, ())


def users_on_each(hosts: Iterable[Host], pool_name: str) -> dict[int, tuple[Use, ...]]:
    """The same for many hosts at once, by the key of the host."""
    places = _own_places(hosts, pool_name)
    found: dict[int, list[Use]] = {}
    for use in _uses(places):
        found.setdefault(use.guest.host_id, []).append(use)
    return {pk: _sorted(uses) for pk, uses in found.items()}


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
    """Names of the volumes whose layer below this one is: in any pool of the host, and of every other host that has the
    same network storage."""
    path = find_volume_path(host, pool_name, volume_name)
    places = _places([host], pool_name)
    base = _base(places[0][1]) if places else ""
    found = list(_on_top(host, path))
    for other, facts in places[1:]:
        there = _on_top(other, _as_asked(path, base, _base(facts)))
        found += [f"{name} on {other.name}" for name in there if name not in found]
    return tuple(found[:20])


def _on_top(host: Host, path: str) -> Iterator[str]:
    """An image may name the layer below it relative to its own folder."""
    if not path:
        return
    named = Volume.objects.filter(contents__host_id=host.pk, backing_path__endswith=posixpath.basename(path))
    for name, own_path, below in named.values_list("name", "path", "backing_path"):
        if path in (below, _absolute(below, own_path)):
            yield name


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


def _own_places(hosts: Iterable[Host], pool_name: str) -> list[Place]:
    found = ((host, find_pool(host, pool_name)) for host in hosts)
    return [(host, facts) for host, facts in found if facts is not None]


def _places(hosts: Iterable[Host], pool_name: str) -> list[Place]:
    """The pools themselves, and the same network storage under other names and on other hosts. Empty when no host ever
    told of it."""
    own = _own_places(hosts, pool_name)
    shared = {(facts.type, facts.source) for _, facts in own if _is_shared(facts)}
    if not shared:
        return own
    known = {(host.pk, facts.name) for host, facts in own}
    hosts_read = Host.objects.exclude(facts_data=None).defer("credentials", "known_hosts", "probe_data")
    found = (
        (host, pool) for host in hosts_read for pool in (host.facts.pools if host.facts is not None else ())
        if (host.pk, pool.name) not in known
    )  # fmt: skip
    return own + [(host, pool) for host, pool in found if (pool.type, pool.source) in shared]


def _is_shared(facts: PoolFacts) -> bool:
    """A source that says nothing but its type is not known well enough to be the same as another."""
    return facts.shared_by_nature and facts.source != facts.type


def _uses(places: Sequence[Place], asked_base: str | None = None) -> Iterator[Use]:
    """`asked_base`: what paths begin with on the host that was asked about; None: on each its own."""
    hosts = {host.pk: host for host, _ in places}
    lookup = VolumeLookup(hosts)
    chains = _chains(hosts, lookup)
    everything = {pk: set[str]().union(*(paths for _, _, paths in found)) for pk, found in chains.items()}
    for (host, facts), inside in zip(places, _those_inside(places, everything, lookup), strict=True):
        base = _base(facts)
        for guest, disk, paths in chains.get(host.pk, ()):
            for path in paths & inside:
                yield Use(
                    guest, disk.target, path if asked_base is None else _as_asked(path, base, asked_base)
                )


def _chains(hosts: Mapping[int, Host], lookup: VolumeLookup) -> dict[int, list[Chain]]:
    """By host: each disk with the paths of all its layers."""
    disks = list(_disks_of(hosts))
    named = _find_named(disks, lookup)
    tops = [
        (guest, disk, {_top(hosts[guest.host_id], disk, named), *disk.backing_paths} - {""})
        for guest, disk in disks
    ]
    below = _find_layers({(guest.host_id, path) for guest, _, paths in tops for path in paths}, lookup)
    found: dict[int, list[Chain]] = {}
    for guest, disk, paths in tops:
        layers = _with_layers(guest.host_id, paths, below)
        found.setdefault(guest.host_id, []).append((guest, disk, layers))
    return found


def _disks_of(hosts: Mapping[int, Host]) -> Iterator[tuple[Guest, DiskFacts]]:
    """Only the disks are read and parsed: pages ask this of thousands of guests."""
    guests = Guest.objects.present().filter(host_id__in=hosts).order_by("pk")
    for guest in guests.defer("reading_data").annotate(disks_data=F("reading_data__facts__disks")):
        guest.host = hosts[guest.host_id]
        for data in guest.disks_data or ():
            yield guest, from_data(data, DiskFacts)


def _find_named(disks: list[tuple[Guest, DiskFacts]], lookup: VolumeLookup) -> dict[Named, str]:
    """Paths of disks that name a volume instead of a path."""
    wanted: dict[int, set[str]] = {}
    for guest, disk in disks:
        if disk.volume:
            wanted.setdefault(guest.host_id, set()).add(disk.volume)
    return {(row.host_id, row.pool_name, row.name): row.path for row in lookup.find_on_hosts("name", wanted)}


def _top(host: Host, disk: DiskFacts, named: Mapping[Named, str]) -> str:
    if not disk.volume:
        return disk.source_path or disk.network_source.partition(":")[2]
    known = named.get((host.pk, disk.pool, disk.volume), "")
    pool = None if known else find_pool(host, disk.pool)
    return posixpath.join(_base(pool), disk.volume) if pool is not None else known


def _find_layers(spots: set[Spot], lookup: VolumeLookup) -> dict[Spot, str]:
    """Path → path of the layer below it, for these and all that lie below them, each on its own host."""
    found: dict[Spot, str] = {}
    unseen, seen = spots, set(spots)
    while unseen:
        wanted: dict[int, set[str]] = {}
        for host_id, path in unseen:
            wanted.setdefault(host_id, set()).add(path)
        below = {
            (row.host_id, row.path): _absolute(row.backing_path, row.path)
            for row in lookup.find_on_hosts("path", wanted)
            if row.backing_path
        }
        found |= below
        unseen = {(host_id, path) for (host_id, _), path in below.items()} - seen
        seen |= unseen
    return found


def _with_layers(host_id: int, paths: set[str], below: Mapping[Spot, str]) -> set[str]:
    """However the images point at each other, each once."""
    waiting, seen = list(paths), set[str]()
    while waiting:
        path = waiting.pop()
        if path and path not in seen:
            seen.add(path)
            waiting.append(below.get((host_id, path), ""))
    return seen


def _those_inside(
    places: Sequence[Place], everything: Mapping[int, set[str]], lookup: VolumeLookup
) -> list[set[str]]:
    """For each place, which of its host's paths lie in it: by the path itself, or because it was read there."""
    inside = [_inside_by_path(facts, everything.get(host.pk, set())) for host, facts in places]
    wanted = {
        (host.pk, facts.name): everything.get(host.pk, set()) - found
        for (host, facts), found in zip(places, inside, strict=True)
    }
    read: dict[tuple[int, str], set[str]] = {}
    for row in lookup.find_in_pools("path", wanted):
        read.setdefault((row.host_id, row.pool_name), set()).add(row.path)
    return [
        found | read.get((host.pk, facts.name), set())
        for (host, facts), found in zip(places, inside, strict=True)
    ]


def _inside_by_path(facts: PoolFacts, paths: set[str]) -> set[str]:
    base = _base(facts)
    if facts.type in DEVICE_TYPES or not base:
        return set()
    return {path for path in paths if _lies_in(facts, base, path)}


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
