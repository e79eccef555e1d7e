"""Runs one transfer through the ports: the blocking call in a thread, everything that watches beside it.

Nothing here decides the outcome: `TransferEnd` says how the call ended; both hosts are asked afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hosts.errors import HostError, OperationAborted
from hosts.facts.domain import DomainState, DomainStatus
from hosts.facts.jobstats import JobStats
from hosts.ports import GuestPort, HostPort, TransferOrder
from jobs.engine.convergence import StallWatch, Steer, advance_stall, decide_steer, is_stalled
from jobs.engine.progress import DiskCopy
from jobs.options import MoveOptions

POLL_S = 0.25  # libvirt's numbers must be in the browser within 500 ms
# libvirt.md, fact 3: seen this long, the reply of the destination is lost and libvirt will restart the source.
TAKEN_OVER_FOR_S = 3.0


class Watcher(Protocol):
    """What the caller is told and asked while the transfer runs. Called from the caller's own thread."""

    def on_stats(
        self, stats: JobStats, elapsed_ms: int, *, switching: bool = False, disks: tuple[DiskCopy, ...] = ()
    ) -> None: ...
    def on_postcopy(self) -> None: ...
    def on_note(self, sentence: str) -> None: ...
    def cancel_wanted(self) -> bool: ...


@dataclass
class TransferEnd:
    """How libvirt's call ended. `error` None: it reported success. Not an outcome."""

    error: HostError | None
    elapsed_ms: int
    cancelled: bool = False


@dataclass(frozen=True)
class Transfer:
    """One transfer to run. `acting` and `polling` are the source's guest on two connections.

    `direct` is the destination's connection where this process is the coordinator. `guarded` asks the destination
    for its side of the guest where nothing but a guard keeps the guest from running twice (plan.switch_over).
    """

    acting: GuestPort
    polling: GuestPort
    order: TransferOrder
    options: MoveOptions
    direct: HostPort | None = None
    guarded: Callable[[], GuestPort | None] | None = None
    copied: tuple[str, ...] = ()  # targets of the disks whose copies are watched


@dataclass
class _Call:
    """The blocking call in its thread."""

    error: HostError | None = None
    done: threading.Event = field(default_factory=threading.Event)


@dataclass
class _State:
    """What has been done so far, so that nothing is done twice."""

    started: float = field(default_factory=time.monotonic)
    abort_sent: bool = False
    suspended: bool = False
    postcopy_asked: bool = False
    in_postcopy: bool = False
    stall: StallWatch | None = None
    stall_told: bool = False
    taken_over_since: float | None = None


def run_transfer(transfer: Transfer, watcher: Watcher) -> TransferEnd:
    """Transfer and watch until libvirt's call returns."""
    state, call = _State(), _Call()
    threading.Thread(target=_call_libvirt, args=(transfer, call), name="transfer", daemon=True).start()
    while not call.done.wait(POLL_S):
        _look(transfer, watcher, state)
    cancelled = state.abort_sent or isinstance(call.error, OperationAborted)
    return TransferEnd(error=call.error, elapsed_ms=_elapsed_ms(state), cancelled=cancelled)


def _call_libvirt(transfer: Transfer, call: _Call) -> None:
    try:
        transfer.acting.transfer(transfer.order, transfer.direct)
    except HostError as error:
        call.error = error
    except BaseException as error:  # noqa: BLE001 — carried to the caller's thread, which must not wait for ever
        call.error = HostError(f"The transfer stopped with an unexpected error: {error!r}")
    finally:
        call.done.set()


def _look(transfer: Transfer, watcher: Watcher, state: _State) -> None:
    """One look at the job: report, then act on what was asked for."""
    stats, status = _read(transfer.polling)
    if status is not None:
        _note_postcopy(status, watcher, state)
        _guard(transfer, status, watcher, state)
    if stats is not None:
        switching = status is not None and status.state is DomainState.PAUSED and status.reason == "migration"
        watcher.on_stats(stats, _elapsed_ms(state), switching=switching, disks=_read_disks(transfer))
        _steer(transfer, watcher, state, stats)
        _tell_stall(watcher, state, stats)
    # Asked at every look: a cancel from before the job existed is sent as soon as it appears.
    if watcher.cancel_wanted() and stats is not None and not state.abort_sent and not state.in_postcopy:
        sentence = "Asked libvirt to abort the move."
        state.abort_sent = _try(transfer.polling.abort_job, watcher, sentence)


def _read(polling: GuestPort) -> tuple[JobStats | None, DomainStatus | None]:
    """None: no job now, or it cannot be read now. Never a reason to stop watching."""
    try:
        stats, status = polling.read_job(), polling.read_status()
    except HostError:
        return None, None
    return (stats if stats is not None and stats.type in {"bounded", "unbounded"} else None), status


def _read_disks(transfer: Transfer) -> tuple[DiskCopy, ...]:
    """The copies that run now; what cannot be read now is left out."""
    copies = []
    for target in transfer.copied:
        try:
            copy = transfer.polling.read_copy_job(target)
        except HostError:
            continue
        if copy is not None:
            copies.append(DiskCopy(target, *copy))
    return tuple(copies)


def _note_postcopy(status: DomainStatus, watcher: Watcher, state: _State) -> None:
    """Asked of libvirt, not remembered: somebody may have switched with virsh."""
    if not state.in_postcopy and status.reason.startswith("postcopy"):
        state.in_postcopy = True
        watcher.on_postcopy()


def _steer(transfer: Transfer, watcher: Watcher, state: _State, stats: JobStats) -> None:
    options = transfer.options
    in_postcopy = state.in_postcopy or state.postcopy_asked
    steer = decide_steer(
        options, stats, _elapsed_ms(state), suspended=state.suspended, in_postcopy=in_postcopy
    )
    if steer is Steer.START_POSTCOPY:
        sentence = "Switched to post-copy: the guest goes on at the destination while its memory follows."
        state.postcopy_asked = _try(transfer.polling.start_postcopy, watcher, sentence)
    elif steer is Steer.SUSPEND:
        state.suspended = True
        sentence = f"Paused the guest after {options.timeout_s} s, as asked; it goes on when it has arrived."
        _try(transfer.polling.suspend, watcher, sentence)


def _tell_stall(watcher: Watcher, state: _State, stats: JobStats) -> None:
    state.stall = advance_stall(state.stall, stats, _elapsed_ms(state))
    stalled = is_stalled(state.stall, _elapsed_ms(state), in_postcopy=state.in_postcopy)
    if stalled and not state.stall_told:
        watcher.on_note("Not one byte has been sent for a minute: the link is broken. Cancelling is safe.")
    state.stall_told = stalled


def _guard(transfer: Transfer, status: DomainStatus, watcher: Watcher, state: _State) -> None:
    """Without image locks libvirt would restart the source 30 s after a lost reply, while the destination runs it."""
    waiting = status.state is DomainState.PAUSED and status.reason == "migration"
    if transfer.guarded is None or not waiting or not _runs_there(transfer.guarded):
        state.taken_over_since = None
        return
    now = time.monotonic()
    state.taken_over_since = state.taken_over_since or now
    if now - state.taken_over_since >= TAKEN_OVER_FOR_S:
        sentence = (
            "The destination runs the guest and its reply is lost: ended the stopped half at the source."
        )
        _try(transfer.polling.destroy, watcher, sentence)


def _runs_there(guarded: Callable[[], GuestPort | None]) -> bool:
    try:
        guest = guarded()
        status = guest.read_status() if guest is not None else None
    except HostError:
        return False
    return (
        status is not None
        and status.state is DomainState.RUNNING
        and status.reason == "migrated"
        and not status.job
    )


def _try(action: Callable[[], None], watcher: Watcher, sentence: str) -> bool:
    """Do it and say so; a refusal is told, not raised: the transfer goes on and is watched on."""
    try:
        action()
    except HostError as error:
        watcher.on_note(f"libvirt did not do it ({error.message}): {sentence}")
        return False
    watcher.on_note(sentence)
    return True


def _elapsed_ms(state: _State) -> int:
    return round((time.monotonic() - state.started) * 1000)
