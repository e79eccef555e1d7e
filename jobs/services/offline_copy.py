"""A guest that is shut off brings its disks and UEFI variables along: carried from host to host through libvirt.

Every file is read at the source, written at the destination, read there again and compared, before libvirt is asked to
move the definition. The source's files are only ever read. What became of each file is in Migration.volumes_data, so
that a worker that takes over keeps what was verified and writes the rest anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from hosts.errors import HostError, OperationAborted, Refused
from hosts.facts.domain import DomainState
from hosts.models import Host
from hosts.ports import HostPort
from hosts.services.checksums import find_checksum
from hosts.services.connections import borrowed
from hosts.storage_ports import StoragePort, VolumeOrder
from jobs.engine.copying import (
    CopyProgress,
    Fingerprint,
    Next,
    Origin,
    Pace,
    Tally,
    decide_next,
    find_size_problem,
)
from jobs.engine.perform import TransferEnd
from jobs.engine.phases import Phase
from jobs.engine.plan import Plan
from jobs.engine.volumes import PlannedVolume, VolumeState
from jobs.models import Migration, StaleTransition
from jobs.services import outcome, volumes
from jobs.services.offline_copy_places import (
    NVRAM,
    Sought,
    carries,
    complete,
    find_source,
    get_source,
    load_volumes,
    open_source,
    open_there,
    plan_nvram,
    state_of,
)
from jobs.services.offline_copy_stream import Crew, Pipe, Reading, take_fingerprint
from jobs.services.offline_copy_watch import CopyCancelled, Watch, Watcher

__all__ = ["carries", "goes_on", "prepare", "run", "with_volumes"]

# With less data the login takes as long as reading it back; and holes, which libvirt tells at once, a host reads like
# anything else.
ASKED_FROM_BYTES = 96 * 1024 * 1024
MOST_WORKERS = 5  # a copy whose workers end again and again is given up


@dataclass(frozen=True)
class Copy:
    """One copy under way. `reading` and `writing` are connections of their own, for streams."""

    watch: Watch
    reading: StoragePort
    writing: StoragePort
    destination: Host
    mib_per_s: int | None

    @property
    def migration(self) -> Migration:
        return self.watch.migration


def prepare(migration: Migration, plan: Plan, source: HostPort, destination: HostPort) -> Plan:
    """Make every volume at the destination, empty; the plan with what only the hosts know. Raises HostError; what was
    made until then is in volumes_data, for `volumes.remove_created`."""
    whole = complete(plan, source.storage, destination.storage)
    guest = source.find_guest(str(migration.domain_uuid))
    variables = guest and plan_nvram(guest, source.storage, destination.storage)
    volumes.prepare(migration, whole, destination)
    if variables:
        _prepare_variables(migration, variables, destination.storage)
    return with_volumes(migration, whole)


def with_volumes(migration: Migration, plan: Plan) -> Plan:
    """The plan with the volumes that were really prepared, as the row has them. UEFI variables are kept with a
    definition that is kept."""
    if not carries(plan) or not migration.volumes_data:
        return plan
    prepared = load_volumes(migration.volumes_data)
    kept = tuple(volume for volume in prepared if plan.undefine_source or volume.target != NVRAM)
    return dataclasses.replace(plan, volumes=kept)


def goes_on(migration: Migration, plan: Plan, source: HostPort, destination: HostPort) -> bool:
    """Whether a worker that takes over begins the copy again: the last one was in the middle of it, and libvirt has not
    moved the definition yet. Raises HostError."""
    if not carries(plan) or migration.phase != Phase.TRANSFERRING or migration.epoch > MOST_WORKERS:
        return False
    domain_uuid = str(migration.domain_uuid)
    here, there = source.find_guest(domain_uuid), destination.find_guest(domain_uuid)
    if here is None or here.read_status().state is not DomainState.SHUT_OFF:
        return False
    return there is None or bool(plan.destination_defined_before and not there.read_status().active)


def run(
    migration: Migration, plan: Plan, source: Host, destination: Host, watcher: Watcher
) -> TransferEnd | None:
    """Copy and verify all that was prepared. None: all of it is there, libvirt may be asked; otherwise how it ended,
    with nothing moved. Raises StaleTransition."""
    started = monotonic()
    try:
        with ExitStack() as stack:
            asking, reading = (stack.enter_context(borrowed(source)) for _ in range(2))
            writing = stack.enter_context(borrowed(destination))
            watch = Watch(migration, asking, CopyProgress(), watcher)
            limit = _find_limit(plan, source, destination)
            _copy_all(Copy(watch, reading.storage, writing.storage, destination, limit))
    except CopyCancelled:
        error = OperationAborted("The copy was cancelled.")
        return TransferEnd(error, round((monotonic() - started) * 1000), cancelled=True)
    except HostError as error:
        if isinstance(
            error.__context__, StaleTransition
        ):  # another worker's by now, and then a stream did not end
            raise error.__context__ from error
        # It was cancelled, and then a stream did not end.
        cancelled = isinstance(error.__context__, CopyCancelled)
        return TransferEnd(error, round((monotonic() - started) * 1000), cancelled=cancelled)
    return None


def _find_limit(plan: Plan, *hosts: Host) -> int | None:
    limits = [plan.options.bandwidth_mib_per_s, *(host.bandwidth_cap_mib_per_s for host in hosts)]
    return min((limit for limit in limits if limit), default=None)


def _prepare_variables(migration: Migration, volume: PlannedVolume, storage: StoragePort) -> None:
    state = VolumeState.REUSED if volume.reuse else VolumeState.CREATING
    entry = dataclasses.asdict(volume) | {"state": state.value}
    migration.write(volumes_data=[*migration.volumes_data, entry])
    if not volume.reuse:
        _make(migration, volume, storage)
        outcome.note(migration, f"Made the file for {volume.shown} on {migration.destination_name}.")


def _make(migration: Migration, volume: PlannedVolume, storage: StoragePort) -> None:
    with open_there(storage, volume.pool, volume.path) as pool:
        storage.make_volume(pool, VolumeOrder(volume.name, volume.format, volume.capacity_bytes))
    volumes.mark(migration, volume.target, volume.layer, VolumeState.CREATED)


def _copy_all(copy: Copy) -> None:
    work = [(volume, get_source(copy.reading, volume.source_path, volume.shown)) for volume in _planned(copy)]
    tallies = [Tally(volume.target, found.size_bytes) for volume, found in work]
    copy.watch.progress.tallies.extend(tallies)
    copy.watch.look()
    for (volume, found), tally in zip(work, tallies, strict=True):
        _WAYS[_find_next(copy, volume, found)](copy, volume, found, tally)
    copy.watch.refuse_started()
    copy.watch.refuse_changed()
    for volume, found in work:
        _refuse_touched(copy, volume, found.origin)
        _refuse_other_base(copy, volume, found)


def _planned(copy: Copy) -> tuple[PlannedVolume, ...]:
    return load_volumes(copy.migration.volumes_data)


def _entry(copy: Copy, volume: PlannedVolume) -> Mapping[str, Any]:
    entries: list[dict[str, Any]] = copy.migration.volumes_data
    return next(one for one in entries if (one["target"], one["layer"]) == (volume.target, volume.layer))


def _find_next(copy: Copy, volume: PlannedVolume, found: Sought) -> Next:
    entry = _entry(copy, volume)
    was = entry.get("origin")
    return decide_next(state_of(entry), Origin(*was) if was else None, found.origin)


def _keep(copy: Copy, volume: PlannedVolume, found: Sought, tally: Tally) -> None:
    tally.copy(tally.total_bytes)
    copy.watch.watcher.on_note(f"Keeps {volume.shown}, which was copied and verified already.")


def _copy_one(copy: Copy, volume: PlannedVolume, found: Sought, tally: Tally) -> None:
    if _entry(copy, volume).get("begun"):
        _make_anew(copy, volume)
    origin, began_ms = dataclasses.astuple(found.origin), copy.watch.elapsed_ms
    _mark(copy, volume, VolumeState.CREATED, begun=True, origin=origin, checksum="")
    seen = _stream(copy, volume, found, tally)
    _refuse_touched(copy, volume, found.origin)
    copied_ms = copy.watch.elapsed_ms - began_ms
    _mark(copy, volume, VolumeState.COPIED, checksum=seen.text, copied_ms=copied_ms)
    told = _verify(copy, volume, seen, tally)
    verified_ms = copy.watch.elapsed_ms - began_ms - copied_ms
    _mark(copy, volume, VolumeState.VERIFIED, verified_ms=verified_ms, told_by_host=told)
    how = "its host reads the same contents" if told else "read it back: the same contents"
    copy.watch.watcher.on_note(f"Copied {volume.shown} and {how}.")


def _mark(copy: Copy, volume: PlannedVolume, state: VolumeState, **facts: Any) -> None:
    volumes.mark(copy.migration, volume.target, volume.layer, state, **facts)


def _stream(copy: Copy, volume: PlannedVolume, found: Sought, tally: Tally) -> Fingerprint:
    """What was sent."""
    crew = Crew(copy.watch.look)
    pipe = Pipe(crew, tally, Pace(copy.mib_per_s, monotonic()))
    with (
        open_source(copy.reading, volume.source_path) as (pool, name),
        open_there(copy.writing, volume.pool, volume.path) as there,
    ):
        write = partial(copy.writing.write_volume, there, volume.name, pipe.drain(), length=found.size_bytes)
        crew.run(partial(pipe.fill, copy.reading, pool, name), write)
    return pipe.seen


def _make_anew(copy: Copy, volume: PlannedVolume) -> None:
    """Half a copy may have bytes where the source has holes by now: it is made again, empty."""
    _mark(copy, volume, VolumeState.CREATING)
    with open_there(copy.writing, volume.pool, volume.path) as pool:
        if copy.writing.find_volume(pool, volume.name) is not None:
            copy.writing.delete_volume(pool, volume.name)
    _make(copy.migration, volume, copy.writing)


def _verify(copy: Copy, volume: PlannedVolume, sent: Fingerprint, tally: Tally) -> bool:
    """Whether the host itself took the checksum."""
    length, checksum = sent.length, sent.text
    asked = _ask_there(copy, volume, sent, tally)
    there_bytes, seen = asked or _read_there(copy, volume, length, tally.compare)
    where = f"{volume.shown} on {copy.migration.destination_name}"
    device = bool(volume.pool) and not volume.format
    if problem := find_size_problem(length, there_bytes, volume.format, device=device):
        raise HostError(f"The copy of {where} is wrong: {problem}.", remedy="Move the guest again.")
    if seen != checksum:
        raise HostError(
            f"The copy of {where} does not hold what was sent: {seen} instead of {checksum}.",
            remedy="Look at that host's storage, and for errors in its kernel log, before the guest is moved again.",
        )
    return asked is not None


def _ask_there(copy: Copy, volume: PlannedVolume, sent: Fingerprint, tally: Tally) -> tuple[int, str] | None:
    """The host's own checksum of its file, which saves the way back. Only one that agrees is taken for an answer: None
    for everything else, and then the file is read back."""
    if sent.data_bytes < ASKED_FROM_BYTES or sent.data_bytes < sent.length // 2:
        return None
    length, checksum = sent.length, sent.text
    with open_there(copy.writing, volume.pool, volume.path) as pool:
        facts = copy.writing.find_volume(pool, volume.name)
        there_bytes = copy.writing.read_size(pool, volume.name)
    if facts is None or there_bytes != length:
        return None
    crew, said = Crew(copy.watch.look), list[str | None]()

    def tell(done_bytes: int) -> None:
        crew.refuse_stopped()
        tally.compared_bytes = done_bytes

    crew.run(lambda: said.append(find_checksum(copy.destination, facts, length, tell)))
    tally.compared_bytes = length if said == [checksum] else 0
    return (length, checksum) if said == [checksum] else None


def _read_there(
    copy: Copy, volume: PlannedVolume, length: int, count: Callable[[int], None]
) -> tuple[int, str]:
    """How long it is at the destination, and the checksum of its first `length` bytes."""
    with open_there(copy.writing, volume.pool, volume.path) as pool:
        there_bytes = copy.writing.read_size(pool, volume.name)
        return there_bytes, _read(copy, copy.writing, pool, volume.name, min(length, there_bytes), count)


def _read(
    copy: Copy, storage: StoragePort, pool: str, name: str, length: int, count: Callable[[int], None]
) -> str:
    crew, seen = Crew(copy.watch.look), list[str]()
    reading = Reading(storage, pool, name, length, Pace(copy.mib_per_s, monotonic()), count)
    crew.run(lambda: seen.append(take_fingerprint(crew, reading).text))
    return seen[0]


def _compare(copy: Copy, volume: PlannedVolume, found: Sought, tally: Tally) -> None:
    """A file that was there already is never written to: it holds the same, or the move ends."""
    with open_source(copy.reading, volume.source_path) as (pool, name):
        here = _read(copy, copy.reading, pool, name, found.size_bytes, tally.copy)
    there_bytes, there = _read_there(copy, volume, found.size_bytes, tally.compare)
    if there_bytes < found.size_bytes or there != here:
        raise Refused(
            f"{volume.name} is on {copy.migration.destination_name} already, and {volume.shown} has other contents.",
            remedy=f"Move {volume.path or volume.name} away there, then move the guest again.",
        )
    _mark(copy, volume, VolumeState.REUSED, checksum=there)
    copy.watch.watcher.on_note(f"{volume.shown} is at the destination already, with the same contents.")


def _refuse_touched(copy: Copy, volume: PlannedVolume, origin: Origin) -> None:
    now = find_source(copy.reading, volume.source_path)
    if now is None or now.origin != origin:
        raise Refused(
            f"{volume.source_path} was changed on {copy.migration.source_name} while it was copied.",
            remedy="See that nothing else writes to it, then move the guest again.",
        )


def _refuse_other_base(copy: Copy, volume: PlannedVolume, found: Sought) -> None:
    """The path of the layer below is inside the file; one relative to its folder leads elsewhere from another."""
    if not found.facts.backing_path:
        return
    copy.writing.refresh_pool(volume.pool)
    there = copy.writing.find_volume(volume.pool, volume.name)
    if there is None or there.backing_path != found.facts.backing_path:
        raise Refused(
            f"{volume.shown} would look for its base at {there.backing_path if there else 'no known path'} on "
            f"{copy.migration.destination_name}, not at {found.facts.backing_path}.",
            remedy="Let the disk keep its folder there: the path of the base is written inside the image.",
        )


_WAYS: dict[Next, Callable[[Copy, PlannedVolume, Sought, Tally], None]] = {
    Next.KEEP: _keep,
    Next.COMPARE: _compare,
    Next.COPY: _copy_one,
}
