"""The networks and bridges the guest is plugged into."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.domain import NicFacts
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import graded, require_read, sends_memory, warning


@check(
    "network.guest-nics",
    title="Every network and bridge the guest uses is there and active on the destination",
    source="libvirt: measured codes 43 (missing), 55 (inactive), 38 (no such bridge)",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_nics(context: PreflightContext) -> Iterator[Said]:
    for nic in context.guest.facts.nics:
        if nic.type == "network":
            yield from _check_network(context, nic)
        elif nic.type == "bridge":
            yield from _check_bridge(context, nic)
        elif nic.type == "direct":
            there = context.destination.name
            yield NotEvaluated(f"whether {there} has the interface {nic.source}", f"See: ip link on {there}.")


def _check_network(context: PreflightContext, nic: NicFacts) -> Iterator[Said]:
    there, severe = context.destination.name, sends_memory(context)
    networks = {network.name: network for network in require_read(context.destination, "networks").networks}
    network = networks.get(nic.source)
    subject = f"interface {nic.mac}"
    if network is None:
        message = f"{there} has no network {nic.source}."
        remedy = f"Create it there: virsh net-dumpxml {nic.source} here, virsh net-define there."
        yield graded(severe, subject, message, remedy, evidence=_evidence(context, nic, "missing"))
    elif not network.active:
        message = f"The network {nic.source} is not active on {there}."
        remedy = f"Start it: virsh net-start {nic.source} on {there}."
        yield graded(severe, subject, message, remedy, evidence=_evidence(context, nic, "inactive"))
    elif nic.portgroup and nic.portgroup not in network.portgroups:
        message = f"The network {nic.source} on {there} has no portgroup {nic.portgroup}."
        remedy = f"Add the portgroup there: virsh net-edit {nic.source}."
        yield graded(severe, subject, message, remedy, evidence=_evidence(context, nic, "no such portgroup"))


def _check_bridge(context: PreflightContext, nic: NicFacts) -> Iterator[Said]:
    there = context.destination.name
    if nic.source not in require_read(context.destination, "bridges").bridges:
        yield graded(
            sends_memory(context),
            f"interface {nic.mac}",
            f"{there} has no bridge {nic.source}.",
            f"Create the bridge {nic.source} on {there}, in the same LAN as on {context.source.name}.",
            evidence=_evidence(context, nic, "missing"),
        )


def _evidence(context: PreflightContext, nic: NicFacts, state: str) -> tuple[tuple[str, str], ...]:
    place = f"{nic.type} {nic.source}" + (f" portgroup {nic.portgroup}" if nic.portgroup else "")
    return ((context.source.name, place), (context.destination.name, state))


@check(
    "network.same-lan",
    title="A network of the same name on the destination is the same kind of network",
    source="measured: libvirt moves a guest onto another bridge or VLAN of the same name without a word",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_same_lan(context: PreflightContext) -> Iterator[Said]:
    here = {network.name: network for network in require_read(context.source, "networks").networks}
    there = {network.name: network for network in require_read(context.destination, "networks").networks}
    used = dict.fromkeys(nic.source for nic in context.guest.facts.nics if nic.type == "network")
    for name in used:
        source, destination = here.get(name), there.get(name)
        if source is None or destination is None:
            continue
        if (source.forward, source.vlans) != (destination.forward, destination.vlans):
            yield warning(
                f"network {name}",
                f"The network {name} is not the same on both hosts; the guest may be cut off after the move.",
                f"Compare: virsh net-dumpxml {name} on both hosts.",
                evidence=(
                    (context.source.name, f"{source.forward or 'isolated'} VLANs {list(source.vlans)}"),
                    (
                        context.destination.name,
                        f"{destination.forward or 'isolated'} VLANs {list(destination.vlans)}",
                    ),
                ),
            )


@check(
    "network.mac-clash",
    title="No other guest on the destination has this MAC address",
    source="peers' users hurt by cloned guests",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_macs(context: PreflightContext) -> Iterator[Said]:
    macs = {nic.mac.lower() for nic in context.guest.facts.nics if nic.mac}
    for neighbour in context.neighbours or ():
        if neighbour.domain_uuid.lower() == context.guest.domain_uuid.lower():
            continue
        for mac in sorted(macs & {mac.lower() for mac in neighbour.macs}):
            yield warning(
                f"interface {mac}",
                f"The guest {neighbour.name} on {context.destination.name} has the same MAC address.",
                "Give one of the two another address; it takes effect at its next start.",
                evidence=(
                    (context.source.name, context.guest.name),
                    (context.destination.name, neighbour.name),
                ),
            )
