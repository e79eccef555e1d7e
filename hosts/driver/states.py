"""libvirt's numbers for states and reasons → words; from the library itself, so that new ones have names."""

from __future__ import annotations

from functools import cache

import libvirt

from hosts.facts.domain import DomainState

# virDomainState → the part of the reason constants' names (VIR_DOMAIN_<PART>_<REASON>).
_STATES: dict[int, tuple[DomainState, str]] = {
    libvirt.VIR_DOMAIN_NOSTATE: (DomainState.NO_STATE, "NOSTATE"),
    libvirt.VIR_DOMAIN_RUNNING: (DomainState.RUNNING, "RUNNING"),
    libvirt.VIR_DOMAIN_BLOCKED: (DomainState.BLOCKED, "BLOCKED"),
    libvirt.VIR_DOMAIN_PAUSED: (DomainState.PAUSED, "PAUSED"),
    libvirt.VIR_DOMAIN_SHUTDOWN: (DomainState.SHUTTING_DOWN, "SHUTDOWN"),
    libvirt.VIR_DOMAIN_SHUTOFF: (DomainState.SHUT_OFF, "SHUTOFF"),
    libvirt.VIR_DOMAIN_CRASHED: (DomainState.CRASHED, "CRASHED"),
    libvirt.VIR_DOMAIN_PMSUSPENDED: (DomainState.PM_SUSPENDED, "PMSUSPENDED"),
}


def domain_state(number: int) -> DomainState:
    return _STATES.get(number, (DomainState.NO_STATE, ""))[0]


@cache
def state_reason(state: int, reason: int) -> str:
    """(VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATION_CANCELED) → "migration-canceled"; "" for unknown."""
    part = _STATES.get(state, (DomainState.NO_STATE, ""))[1]
    prefix = f"VIR_DOMAIN_{part}_"
    if not part or reason == 0:
        return ""
    if part == "SHUTDOWN":  # its other constants describe events, with overlapping numbers
        return "user"
    names = (name for name in dir(libvirt) if name.startswith(prefix) and getattr(libvirt, name) == reason)
    return next((name.removeprefix(prefix).lower().replace("_", "-") for name in names), f"reason {reason}")
