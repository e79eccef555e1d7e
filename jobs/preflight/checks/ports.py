"""Whether the ports that memory and copied disks go to are open on the destination."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from hosts.facts.probe import ProbeState
from jobs.options import Storage
from jobs.preflight.by_hand_network import open_ports
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.probed import peer_answer, peer_unknown, sends_directly, tried_ports
from jobs.preflight.registry import Said, check, pair_part
from jobs.preflight.say import blocker, host


@pair_part("network.migration-ports")
@check(
    "network.migration-ports",
    title="The migration ports of the destination, and those for copied disks, are open for the source",
    source="SUSE virtualization guide: 49152-49215; measured: a dropped port hangs libvirt for 134 s",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_migration_ports(context: PreflightContext) -> Iterator[Said]:
    if not sends_directly(context):
        return
    yield from _check_memory(context, *_memory_ports(context))
    port = _disk_port(context)
    if port is not None:
        yield from _check_disks(context, port)


def _check_memory(context: PreflightContext, first: int, last: int) -> Iterator[Said]:
    answers = [peer_answer(context, "migration_port"), peer_answer(context, "last_migration_port")]
    asked = tried_ports(context.peer_probe, (first, last))
    if _answers_with_reset(context, first, last):
        yield _closed(context, first, last, "a firewall rule there answers for them")
    elif not asked or answers[0].state is ProbeState.UNKNOWN:
        yield _unknown(
            context, f"the migration ports {_range(first, last)}", answers[0].detail if asked else ""
        )
    else:
        shut = [answer for answer in answers if answer.state in {ProbeState.FILTERED, ProbeState.FAILED}]
        if shut:
            yield _closed(context, first, last, shut[0].detail)


def _check_disks(context: PreflightContext, port: int) -> Iterator[Said]:
    answer = peer_answer(context, "disk_port")
    asked = context.peer_probe is not None and context.peer_probe.tried_disk_port == port
    if _answers_with_reset(context, port, port):
        yield _closed(context, port, port, "a firewall rule there answers for it")
    elif not asked or answer.state is ProbeState.UNKNOWN:
        yield _unknown(context, f"the port {port} for disks", answer.detail if asked else "")
    elif answer.state is not ProbeState.OPEN:
        yield _closed(context, port, port, answer.detail)


def _closed(context: PreflightContext, first: int, last: int, detail: str) -> Finding:
    source, destination = context.source.name, context.destination.name
    words = f"the ports {_range(first, last)}" if first != last else f"the port {first}"
    return blocker(
        host(context.destination),
        f"{source} cannot reach {words} of {destination}, where the data of the move goes.",
        f"Open TCP {_range(first, last)} on {destination}, and in every firewall between it and {source}.",
        evidence=((source, detail), (destination, f"tcp {_range(first, last)}")),
        commands=open_ports(context.destination, first, last),
    )


def _unknown(context: PreflightContext, what: str, why: str) -> Said:
    return peer_unknown(
        context, f"whether {context.source.name} reaches {what} of {context.destination.name}", why
    )


def _answers_with_reset(context: PreflightContext, first: int, last: int) -> bool:
    """Such a rule looks like a port on which nothing listens yet, which is what an open one looks like."""
    probe = context.destination.probe
    return probe is not None and any(low <= last and first <= high for low, high in probe.reset_ports)


def _memory_ports(context: PreflightContext) -> tuple[int, int]:
    """The range, or the one port that the options name."""
    port = _port_of(context.options.migrate_uri)
    return (port, port) if port else context.destination.migration_ports


def _disk_port(context: PreflightContext) -> int | None:
    """The port that the options name for copied disks; without one they take one of the range."""
    options = context.options
    if options.storage is Storage.SHARED:
        return None
    return _port_of(options.disks_uri) or options.disks_port


def _port_of(uri: str) -> int | None:
    try:
        return urlsplit(uri).port
    except ValueError:
        return None


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
