"""The phases of a migration. Each says its meaning, its exits, and what libvirt knows then. Pure."""

from __future__ import annotations

import enum


class Phase(enum.StrEnum):
    # Asked for, no worker has it. libvirt knows nothing. → PREPARING, CANCELLED, FAILED
    QUEUED = "queued"
    # A worker has claimed it and checks again. libvirt knows nothing. → TRANSFERRING, FAILED, CANCELLED
    PREPARING = "preparing"
    # Written before libvirt is called. A job runs or is about to. → POSTCOPY, CONFIRMING, ROLLING_BACK,
    # UNCONFIRMED
    TRANSFERRING = "transferring"
    # The destination runs the guest, memory still arrives. Cannot be cancelled or rolled back. → CONFIRMING,
    # UNCONFIRMED
    POSTCOPY = "postcopy"
    # libvirt's call is over; both hosts are asked and the destination is put in order. → SUCCEEDED,
    # UNCONFIRMED, ROLLING_BACK
    CONFIRMING = "confirming"
    # The guest stays at the source; what we made elsewhere is removed. → FAILED, CANCELLED, UNCONFIRMED
    ROLLING_BACK = "rolling-back"
    # Not known: a host does not answer or the two contradict. Nothing is deleted. A job that is seen to go on
    # takes the move back to where it was. → TRANSFERRING, POSTCOPY, CONFIRMING, ROLLING_BACK, FAILED
    UNCONFIRMED = "unconfirmed"
    # Moved, verified on both hosts. End.
    SUCCEEDED = "succeeded"
    # Not moved, state known. End.
    FAILED = "failed"
    # Not moved because a person asked, state known. End.
    CANCELLED = "cancelled"


ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})
ACTIVE = frozenset(Phase) - ENDED

EXITS: dict[Phase, frozenset[Phase]] = {
    Phase.QUEUED: frozenset({Phase.PREPARING, Phase.CANCELLED, Phase.FAILED}),
    Phase.PREPARING: frozenset({Phase.TRANSFERRING, Phase.FAILED, Phase.CANCELLED}),
    Phase.TRANSFERRING: frozenset({Phase.POSTCOPY, Phase.CONFIRMING, Phase.ROLLING_BACK, Phase.UNCONFIRMED}),
    Phase.POSTCOPY: frozenset({Phase.CONFIRMING, Phase.UNCONFIRMED}),
    Phase.CONFIRMING: frozenset({Phase.SUCCEEDED, Phase.ROLLING_BACK, Phase.UNCONFIRMED}),
    Phase.ROLLING_BACK: frozenset({Phase.FAILED, Phase.CANCELLED, Phase.UNCONFIRMED}),
    Phase.UNCONFIRMED: frozenset(
        {Phase.TRANSFERRING, Phase.POSTCOPY, Phase.CONFIRMING, Phase.ROLLING_BACK, Phase.FAILED}
    ),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.CANCELLED: frozenset(),
}


def can_advance(old: Phase, new: Phase) -> bool:
    return new in EXITS[old]
