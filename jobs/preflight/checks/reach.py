"""Whether the hosts answer, and whether the source reaches the destination with its own means."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.probe import Probe, ProbeState
from jobs.options import Control, Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check, pair_part
from jobs.preflight.say import blocker, host

HOW_TO_ASK = (
    "Connect {source} over SSH so that it can be asked; otherwise libvirt will tell at the start of the move."
)


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
        yield from _check_login(context)


def _check_login(context: PreflightContext) -> Iterator[Said]:
    source, destination = context.source.name, context.destination.name
    probe = _probe(context, "libvirt_login")
    if probe.state is ProbeState.UNKNOWN:
        raise _unknown(context, f"whether {source} can log in to libvirt on {destination}")
    if probe.state is not ProbeState.OPEN:
        yield blocker(
            host(context.source),
            f"{source} cannot log in to libvirt on {destination} as "
            f"{context.peer_address or 'its peer address'}.",
            f"On {source}, as root, make this work: virsh -c '{context.peer_address}' uri. "
            "With ssh: root's key in the other side's authorized_keys, and its host key accepted "
            "once by hand. "
            "With tls: host certificates on both. Or let this console drive the move.",
            evidence=((source, probe.detail), (destination, context.peer_address)),
        )


@pair_part("libvirt.name-resolution")
@check(
    "libvirt.name-resolution",
    title="The source resolves the name the destination gives itself, or a migration address is set",
    source="libvirt: qemuMigrationDstPrepareDirect uses the destination's own host name",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_name_resolution(context: PreflightContext) -> Iterator[Said]:
    addressed = context.options.migrate_uri or context.destination.migration_address
    if addressed or not _sends_directly(context):
        return
    source, destination = context.source.name, context.destination
    probe = _probe(context, "name_resolves")
    name = destination.facts.hostname if destination.facts is not None else destination.name
    if probe.state is ProbeState.UNKNOWN:
        raise _unknown(context, f"whether {source} resolves the name {name}")
    if probe.state is not ProbeState.OPEN:
        yield blocker(
            host(context.source),
            f"{source} cannot resolve or reach the name {name}, which {destination.name} gives itself.",
            f"Set a migration address for {destination.name}, or add the name to DNS or to /etc/hosts "
            f"of {source}.",
            evidence=((source, probe.detail), (destination.name, name)),
        )


@pair_part("network.migration-ports")
@check(
    "network.migration-ports",
    title="The migration ports of the destination are open for the source",
    source="SUSE virtualization guide: 49152-49215; measured: a dropped port hangs libvirt for 134 s",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_migration_ports(context: PreflightContext) -> Iterator[Said]:
    if not _sends_directly(context):
        return
    source, destination = context.source.name, context.destination.name
    ports = "-".join(str(port) for port in dict.fromkeys(context.destination.migration_ports))
    probe = _probe(context, "migration_port")
    if probe.state is ProbeState.UNKNOWN:
        raise _unknown(context, f"whether {source} reaches the migration ports {ports} of {destination}")
    if probe.state is not ProbeState.OPEN:
        yield blocker(
            host(context.destination),
            f"{source} cannot reach the migration ports {ports} of {destination}.",
            f"Open them on {destination}: firewall-cmd --permanent --add-port={ports}/tcp && "
            "firewall-cmd --reload, "
            f"or: nft add rule inet filter input tcp dport {ports} accept, or: ufw allow "
            f"{ports.replace('-', ':')}/tcp.",
            evidence=((source, probe.detail), (destination, f"tcp {ports}")),
        )


def _sends_directly(context: PreflightContext) -> bool:
    """Memory goes from QEMU to QEMU: not in an offline move, and not through libvirt's tunnel."""
    return context.options.kind is not Kind.OFFLINE and context.options.control is not Control.TUNNELLED


def _probe(context: PreflightContext, field: str) -> Probe:
    if context.peer_probe is None:
        return Probe(ProbeState.UNKNOWN)
    probe: Probe = getattr(context.peer_probe, field)
    return probe


def _unknown(context: PreflightContext, what: str) -> NotEvaluated:
    return NotEvaluated(what, HOW_TO_ASK.format(source=context.source.name))
