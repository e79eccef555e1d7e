"""A worker runs one move: claim, check again, transfer, settle. Every phase is written before what it announces."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from hosts.errors import HostError
from hosts.facts.codec import from_data, to_data
from hosts.facts.jobstats import JobStats
from hosts.models import Host
from hosts.ports import GuestPort, HostPort, TransferOrder
from hosts.services.connections import borrowed
from jobs import queue
from jobs.engine.perform import Transfer, TransferEnd, run_transfer
from jobs.engine.phases import Phase
from jobs.engine.plan import Plan, SwitchOver, complete_order, load_plan
from jobs.engine.progress import DiskCopy, ProgressSample, advance_progress
from jobs.models import Migration, ProgressPoint, StaleTransition
from jobs.options import Control, MoveOptions, parse_options
from jobs.services import offline_copy, outcome, preparation, publishing, settlement, volumes
from jobs.services.publishing import publish_soon
from jobs.services.reconcile import ring_waiting

log = logging.getLogger(__name__)
POINT_EVERY_MS = 1000


@dataclass
class Run:
    """What one worker holds while it runs one migration."""

    migration: Migration
    source: Host
    destination: Host
    options: MoveOptions


def run(migration_id: int) -> None:
    """Run a queued migration. Returns at once when it is not ours to run or has no slot yet."""
    migration = queue.claim_queued(migration_id)
    if migration is not None:
        _guarded(migration, _begin)


def adopt(migration_id: int) -> None:
    """Take over a migration whose worker is gone: never started a second time, only watched and settled."""
    migration = queue.adopt(migration_id)
    if migration is not None:
        log.info("Took over %s in phase %s.", migration, migration.phase)
        _guarded(migration, _take_over)


def _guarded(migration: Migration, step: Callable[[Run], None]) -> None:
    """Whatever goes wrong, the row stays true: fenced off → stop writing; a fault → let the lease lapse."""
    hosts = {migration.source_id, migration.destination_id}
    try:
        publish_soon(migration)
        step(build_run(migration))
    except StaleTransition as stale:
        log.warning("Stopped working on %s: %s", migration, stale)
    except Exception:
        log.exception("The worker failed at %s in phase %s.", migration, migration.phase)
        _give_up(migration)
    finally:
        ring_waiting(hosts)
        publishing.flush()


def build_run(migration: Migration) -> Run:
    if migration.source is None or migration.destination is None:
        raise RuntimeError(f"{migration}: a host of this move was removed")
    return Run(migration, migration.source, migration.destination, parse_options(migration.options_data))


def _give_up(migration: Migration) -> None:
    """Before libvirt was called nothing was changed: failed. Afterwards the next worker asks both hosts."""
    try:
        if migration.phase == Phase.PREPARING:
            if migration.destination is not None:
                migration.write(leftovers_data=list(volumes.remove_created(migration, migration.destination)))
            outcome.fail_untouched(
                migration,
                "The product itself failed before the move began; its log has the detail.",
                remedy="Try again.",
            )
        # Taken up again when the lease lapses, not at once: what failed a moment ago most likely fails again.
    except StaleTransition:
        log.warning("%s is already in other hands.", migration)


def _begin(run: Run) -> None:
    with ExitStack() as stack:
        try:
            acting = stack.enter_context(borrowed(run.source))
            polling = stack.enter_context(borrowed(run.source))
            destination = stack.enter_context(borrowed(run.destination))
            plan = preparation.prepare(
                run.migration, run.source, run.destination, run.options, polling, destination
            )
            if plan is not None:
                plan = _prepare_volumes(run, plan, polling, destination)
        except HostError as error:
            _end_untouched(run, error)
            return
        if plan is None:
            return
        recorder = Recorder(run)
        end = _transfer(run, plan, (acting, polling, destination), recorder)
    settlement.settle(run.migration, run.source, run.destination, plan, end, recorder)


def _prepare_volumes(run: Run, plan: Plan, source: HostPort, destination: HostPort) -> Plan:
    if offline_copy.carries(plan):
        return offline_copy.prepare(run.migration, plan, source, destination)
    volumes.prepare(run.migration, plan, destination)
    return plan


def _end_untouched(run: Run, error: HostError) -> None:
    run.migration.write(leftovers_data=list(volumes.remove_created(run.migration, run.destination)))
    outcome.fail_untouched_by(run.migration, error)


def _take_over(run: Run) -> None:
    if run.migration.phase == Phase.PREPARING:
        run.migration.write(leftovers_data=list(volumes.remove_created(run.migration, run.destination)))
        outcome.fail_untouched(
            run.migration,
            "The worker ended before the move began.",
            remedy="Nothing was changed: move it again.",
        )
        return
    if run.migration.phase != Phase.UNCONFIRMED:
        outcome.note(run.migration, "Another worker took over and asks both hosts.")
    try:
        plan = load_plan(run.migration.plan_data)
    except (KeyError, TypeError, ValueError) as error:
        outcome.leave_unreadable(run.migration, error)
        return
    # Disabling a host keeps new moves away; one that has begun is brought to its end. In memory only.
    run.source.enabled = run.destination.enabled = True
    plan, recorder = offline_copy.with_volumes(run.migration, plan), Recorder(run)
    end = _copy_on(run, plan, recorder)
    settlement.settle(run.migration, run.source, run.destination, plan, end, recorder)


def _copy_on(run: Run, plan: Plan, recorder: Recorder) -> TransferEnd | None:
    """A copy of ours ended with its worker, unlike libvirt's: it is begun again. None: nothing to go on with, or it is
    not known."""
    if not offline_copy.carries(plan):
        return None
    try:
        with (
            borrowed(run.source) as acting,
            borrowed(run.source) as polling,
            borrowed(run.destination) as there,
        ):
            if not offline_copy.goes_on(run.migration, plan, acting, there):
                return None
            recorder.go_on()
            return _send(run, plan, (acting, polling, there), recorder)
    except HostError as error:
        log.info("%s is not copied on: %s", run.migration, error.message)
        return None


def _transfer(
    run: Run, plan: Plan, ports: tuple[HostPort, HostPort, HostPort], recorder: Recorder
) -> TransferEnd:
    migration = run.migration
    order = _complete(plan, _guest(ports[0], migration))
    migration.advance(Phase.TRANSFERRING, outcome.sentence_of_start(migration, plan))
    publish_soon(migration)
    if offline_copy.carries(plan):
        return _send(run, plan, ports, recorder)
    return _call(run, plan, ports, recorder, order)


def _send(
    run: Run, plan: Plan, ports: tuple[HostPort, HostPort, HostPort], recorder: Recorder
) -> TransferEnd:
    """The files first, then the definition as it is by then."""
    started = time.monotonic()
    end = offline_copy.run(run.migration, plan, run.source, run.destination, recorder)
    if end is not None:
        return end
    try:
        end = _call(run, plan, ports, recorder, _complete(plan, _guest(ports[0], run.migration)))
    except HostError as error:
        end = TransferEnd(error, elapsed_ms=0)
    return replace(end, elapsed_ms=round((time.monotonic() - started) * 1000))


def _complete(plan: Plan, guest: GuestPort) -> TransferOrder:
    return complete_order(
        plan,
        live_xml=guest.read_xml(secure=True, migratable=True),
        inactive_xml=guest.read_xml(secure=True, inactive=True),
    )


def _call(
    run: Run, plan: Plan, ports: tuple[HostPort, HostPort, HostPort], recorder: Recorder, order: TransferOrder
) -> TransferEnd:
    migration, (acting, polling, destination) = run.migration, ports
    transfer = Transfer(
        acting=_guest(acting, migration),
        polling=_guest(polling, migration),
        order=order,
        options=run.options,
        direct=destination if run.options.control is Control.DIRECT else None,
        copied=tuple(disk.target for disk in plan.disks if disk.copied),
        guarded=_finder(destination, migration) if plan.switch_over is SwitchOver.GUARD else None,
    )
    return run_transfer(transfer, recorder)


def _finder(destination: HostPort, migration: Migration) -> Callable[[], GuestPort | None]:
    return lambda: destination.find_guest(str(migration.domain_uuid))


def _guest(connection: HostPort, migration: Migration) -> GuestPort:
    guest = connection.find_guest(str(migration.domain_uuid))
    if guest is None:
        raise HostError(f"{migration.guest_name} vanished from {migration.source_name}.")
    return guest


class Recorder:
    """Writes what the engine sees into the row and the browsers; renews the lease as it goes."""

    def __init__(self, run: Run) -> None:
        self.migration = run.migration
        self.sample: ProgressSample | None = None
        self.last_point_ms = -POINT_EVERY_MS
        self.lease_renewed = time.monotonic()

    def go_on(self) -> None:
        """From where the last worker was: nothing that is shown goes backwards."""
        data = {name: value for name, value in self.migration.progress_data.items() if name != "read_at_ms"}
        self.sample = from_data(data, ProgressSample) if data else None

    def on_stats(
        self, stats: JobStats, elapsed_ms: int, *, switching: bool = False, disks: tuple[DiskCopy, ...] = ()
    ) -> None:
        self.keep_lease()
        postcopy = self.migration.phase == Phase.POSTCOPY
        sample = advance_progress(
            self.sample, stats, elapsed_ms, postcopy=postcopy, switching=switching, disks=disks
        )
        if sample == self.sample:
            return
        self.sample = sample
        # When libvirt said it, so that every reader can tell how old the figures are.
        self.migration.write(progress_data=to_data(sample) | {"read_at_ms": time.time_ns() // 1_000_000})
        self._record_point(sample, elapsed_ms)
        publish_soon(self.migration)

    def on_postcopy(self) -> None:
        if self.migration.phase == Phase.TRANSFERRING:
            self.migration.advance(
                Phase.POSTCOPY,
                f"{self.migration.guest_name} runs on {self.migration.destination_name}; its memory follows.",
            )
            publish_soon(self.migration)

    def on_note(self, sentence: str) -> None:
        outcome.note(self.migration, sentence)
        publish_soon(self.migration)

    def cancel_wanted(self) -> bool:
        self.keep_lease()
        return Migration.objects.filter(pk=self.migration.pk).exclude(cancel_requested_at=None).exists()

    def keep_lease(self) -> None:
        if time.monotonic() - self.lease_renewed >= queue.RENEW_EVERY_S:
            self.lease_renewed = time.monotonic()
            queue.renew_lease(self.migration)

    def _record_point(self, sample: ProgressSample, elapsed_ms: int) -> None:
        if elapsed_ms - self.last_point_ms < POINT_EVERY_MS:
            return
        self.last_point_ms = elapsed_ms
        ProgressPoint.objects.create(
            migration=self.migration,
            at_ms=elapsed_ms,
            remaining_bytes=sample.data_remaining_bytes,
            transfer_bytes_per_s=sample.transfer_bytes_per_s,
            dirty_bytes_per_s=sample.dirty_bytes_per_s,
            percent=sample.percent,
        )
