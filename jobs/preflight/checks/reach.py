"""Whether the hosts answer, and whether the source can log in to libvirt on the destination by its own means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hosts.facts.address import ConnectionAddress, parse_address
from hosts.facts.probe import Probe, ProbeState
from jobs.options import Control
from jobs.preflight.by_hand_network import know_host_key, listen_for_libvirt, log_in_as_root, open_ports
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Commands, Finding, Fix, Severity
from jobs.preflight.fixes import accept_host_key
from jobs.preflight.probed import peer_answer, peer_unknown
from jobs.preflight.registry import Said, check, pair_part
from jobs.preflight.say import blocker, host

# OpenSSH's and libssh's words for a key that was never accepted; another one than the accepted is a different thing.
_KEY_CHANGED: Final = re.compile(r"identification has changed|offending .*key", re.IGNORECASE)
_KEY_UNKNOWN: Final = re.compile(r"host key verification failed|no .*host key is known", re.IGNORECASE)


@pair_part("libvirt.reachable")
@check(
    "libvirt.reachable",
    title="Both daemons answer, and the source reaches the destination with its own credentials",
    source="SUSE virtualization guide; libvirt: peer-to-peer migration",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_reachable(context: PreflightContext) -> Iterator[Said]:
    for side in (context.source, context.destination):
        if side.silent_reason or side.facts is None:
            yield blocker(
                host(side),
                f"{side.name} does not answer: {(side.silent_reason or 'it was never read').rstrip('.')}.",
                f"See the connection test of {side.name}.",
                evidence=((side.name, side.silent_reason or "never read"),),
            )
    if context.options.control is not Control.DIRECT:
        yield from _check_way(context)


def _check_way(context: PreflightContext) -> Iterator[Said]:
    """The port before the login: a login that fails for want of a listener is the same fault."""
    port, login = peer_answer(context, "libvirt_port"), peer_answer(context, "libvirt_login")
    if login.state is ProbeState.OPEN:
        return
    if port.state in {ProbeState.FILTERED, ProbeState.FAILED}:
        yield _closed(context, port)
    elif login.state is ProbeState.UNKNOWN:
        what = f"whether {context.source.name} can log in to libvirt on {context.destination.name}"
        raise peer_unknown(context, what, login.detail)
    else:
        yield _refused(context, login)


def _closed(context: PreflightContext, port: Probe) -> Finding:
    source, destination, address = context.source.name, context.destination.name, _address(context)
    number = (address.effective_port if address else None) or 22
    transport = address.effective_transport if address else "ssh"
    silent = port.state is ProbeState.FILTERED
    why = "something filters it" if silent else "nothing listens there"
    return blocker(
        host(context.destination),
        f"{source} cannot connect to TCP port {number} of {destination} ({transport}): {why}.",
        f"Let {source} in through the firewalls of {destination} and between the two."
        if silent
        else f"Let libvirt on {destination} listen there, or set another peer address for {destination}.",
        evidence=((source, port.detail), (destination, context.peer_address)),
        commands=open_ports(context.destination, number, number)
        if silent
        else listen_for_libvirt(context.destination, transport),
    )


def _refused(context: PreflightContext, login: Probe) -> Finding:
    source, destination = context.source.name, context.destination.name
    fix, commands = _ways_in(context, login.detail)
    return blocker(
        host(context.source),
        f"{source} cannot log in to libvirt on {destination} as {context.peer_address or 'its peer address'}"
        f"{': it does not know the host key' if fix else ''}.",
        _remedy(context, login.detail),
        evidence=((source, login.detail), (destination, context.peer_address)),
        fix=fix,
        commands=commands,
    )


def _remedy(context: PreflightContext, detail: str) -> str:
    source, destination = context.source.name, context.destination.name
    if _KEY_CHANGED.search(detail):
        return (
            f"{source} knows another SSH host key of {destination}. Find out why before anything else; if the old "
            "one is no longer right, remove it there with ssh-keygen -R and accept the new one."
        )
    return (
        f"On {source}, as root, make this work: virsh -c '{context.peer_address}' uri. "
        "With ssh: root's key in the other side's authorized_keys, and its host key accepted. "
        "With tls: host certificates on both. Or let this console drive the move."
    )


def _ways_in(context: PreflightContext, detail: str) -> tuple[Fix | None, tuple[Commands, ...]]:
    address = _address(context)
    if address is None or not address.uses_ssh or _KEY_CHANGED.search(detail):
        return None, ()
    if _KEY_UNKNOWN.search(detail):
        return accept_host_key(context), know_host_key(context.source, address, context.peer_address)
    return None, log_in_as_root(context.source, address, context.peer_address)


def _address(context: PreflightContext) -> ConnectionAddress | None:
    try:
        return parse_address(context.peer_address)
    except ValueError:
        return None
