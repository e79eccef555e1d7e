"""Graphics consoles: where they listen, and what they need to be there for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import arriving_root
from jobs.preflight.findings import Severity
from jobs.preflight.fixes import start_network
from jobs.preflight.graphics import bound_addresses, fixed_ports, names, needs_tls, networks, replacement_for
from jobs.preflight.registry import Said, check
from jobs.preflight.say import (
    blocker,
    both,
    facts_of,
    graded,
    guest,
    info,
    require_read,
    sends_memory,
    warning,
)


@check(
    "graphics.listen",
    title="The address graphics consoles listen on exists on the destination, or is changed on the way",
    source="measured: QEMU at the destination ends with “Cannot assign requested address”",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING, Severity.INFO),
)
def check_listen(context: PreflightContext) -> Iterator[Said]:
    of_networks = networks(arriving_root(context))
    yield from _networks(context, of_networks.values())
    if context.options.destination_xml:
        return
    for listen in bound_addresses(context.guest.facts):
        if listen not in of_networks:
            yield _say(context, listen)
    for name in names(context.guest.facts):
        yield _name(context, name)


def _networks(context: PreflightContext, wanted: Iterable[str]) -> Iterator[Said]:
    """A console that listens on a network takes the address that the network's bridge has on its host."""
    there = context.destination
    for name in dict.fromkeys(wanted):
        known = {network.name: network for network in require_read(there, "networks").networks}
        if name in known and known[name].active:
            continue
        state = "is not active" if name in known else "does not exist"
        yield graded(
            sends_memory(context),
            guest(context),
            f"The console listens on the network {name}, which {state} on {there.name}.",
            f"{'Start it there' if name in known else 'Define it there'}, or let the console listen on 127.0.0.1.",
            evidence=both(context, f"listens on {name}", f"{name} {state}"),
            fix=start_network(there, name) if name in known else None,
        )


def _name(context: PreflightContext, name: str) -> Said:
    """Measured: a name that means the source is an address QEMU over there cannot bind."""
    there, own = context.destination.name, facts_of(context.source).hostname
    return graded(
        sends_memory(context) and name.partition(".")[0] == own.partition(".")[0],
        guest(context),
        f"The console listens on the name {name}; on {there} it must mean an address of {there} itself.",
        f"Look on {there}: getent hosts {name}. Or let the console listen on 127.0.0.1 or on a network.",
        evidence=((context.source.name, name),),
    )


def _say(context: PreflightContext, listen: str) -> Said:
    there = context.destination
    new = replacement_for(listen, there.migration_address)
    evidence = ((context.source.name, listen), (there.name, new or "no address known"))
    if context.options.kind is Kind.OFFLINE:
        message = (
            f"The console listens on {listen}, which {there.name} does not have; it would not start there."
        )
        remedy = "Let it listen on 0.0.0.0 or on a network."
        return warning(guest(context), message, remedy, evidence=evidence)
    if new:
        message = (
            f"The console listens on {listen} of {context.source.name}; on {there.name} it will be {new}."
        )
        return info(guest(context), message, evidence=evidence)
    return blocker(
        guest(context),
        f"The console listens on {listen}, which {there.name} does not have; the guest could not "
        "start there.",
        f"Set the migration address of {there.name} so that it can stand in, or let the console listen on a "
        "network, on 127.0.0.1 or on 0.0.0.0.",
        evidence=evidence,
    )


@check(
    "graphics.port",
    title="Ports of graphics consoles are chosen anew on each host",
    source="libvirt: formatdomain, <graphics autoport>; QEMU does not start where a fixed port is taken",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_port(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    for kind, port in fixed_ports(arriving_root(context)):
        yield warning(
            guest(context),
            f"The {kind} console always has port {port}; the guest starts on {there} only if nothing else has it.",
            f"Look on {there}: ss -ltn sport = :{port}. Or set autoport='yes', in effect at the guest's next start.",
            evidence=((context.source.name, f"{kind} port {port}, autoport off"),),
        )


@check(
    "graphics.tls",
    title="Encrypted consoles are encrypted on the destination, too",
    source="libvirt: qemuValidateDomainDeviceDefGraphics, “spice TLS port set in XML configuration, but TLS is "
    "disabled in qemu.conf”",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_tls(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    if needs_tls(arriving_root(context)):
        yield warning(
            guest(context),
            f"The SPICE console is encrypted; libvirt on {there} starts the guest only if spice_tls is set there.",
            f"Look on {there}: grep -E '^spice_tls' /etc/libvirt/qemu.conf. Certificates belong into "
            "/etc/pki/libvirt-spice.",
            evidence=((context.source.name, "SPICE with TLS"),),
        )
