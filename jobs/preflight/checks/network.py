"""The networks and bridges the guest is plugged into."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.domain import NicFacts
from jobs.preflight.by_hand_network import copy_filter, copy_network
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.fixes import start_network
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import facts_of, graded, require_read, sends_memory, warning


@check(
    "network.guest-nics",
    title="Every network and bridge the guest uses is there and active on the destination",
    source="libvirt: measured codes 43 (missing), 55 (inactive), 38 (no such bridge), 1 (no such filter)",
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
            yield from _check_parent(context, nic)
        if nic.filter:
            yield from _check_filter(context, nic)


def _check_network(context: PreflightContext, nic: NicFacts) -> Iterator[Said]:
    there, severe = context.destination.name, sends_memory(context)
    networks = {network.name: network for network in require_read(context.destination, "networks").networks}
    network = networks.get(nic.source)
    subject = f"interface {nic.mac}"
    if network is None:
        message = f"{there} has no network {nic.source}."
        remedy = f"Define it there as {context.source.name} has it, and start it."
        commands = copy_network(context.source, context.destination, nic.source)
        evidence = _evidence(context, nic, "missing")
        yield graded(severe, subject, message, remedy, evidence=evidence, commands=commands)
    elif not network.active:
        message = f"The network {nic.source} is not active on {there}."
        remedy = f"Start it: virsh net-start {nic.source} on {there}."
        fix = start_network(context.destination, nic.source)
        evidence = _evidence(context, nic, "inactive")
        yield graded(severe, subject, message, remedy, evidence=evidence, fix=fix)
    elif nic.portgroup and nic.portgroup not in network.portgroups:
        message = f"The network {nic.source} on {there} has no portgroup {nic.portgroup}."
        remedy = f"Add the portgroup there: virsh net-edit {nic.source}."
        yield graded(severe, subject, message, remedy, evidence=_evidence(context, nic, "no such portgroup"))


def _check_bridge(context: PreflightContext, nic: NicFacts) -> Iterator[Said]:
    """libvirt lists the kernel's bridges; one of Open vSwitch shows only among the host's own links."""
    facts, probe = facts_of(context.destination), context.destination.probe
    if nic.source in facts.bridges or (probe is not None and nic.source in probe.links):
        return
    if probe is None or not probe.links:
        require_read(context.destination, "bridges")
    yield graded(
        sends_memory(context),
        f"interface {nic.mac}",
        f"{context.destination.name} has no bridge {nic.source}.",
        f"Create the bridge {nic.source} on {context.destination.name}, in the same LAN as on "
        f"{context.source.name}.",
        evidence=_evidence(context, nic, "missing"),
    )


def _check_parent(context: PreflightContext, nic: NicFacts) -> Iterator[Said]:
    """macvtap: the guest hangs on a device of the host itself, which libvirt does not list."""
    there = context.destination.name
    probe = context.destination.probe
    if probe is None or not probe.links:
        yield NotEvaluated(f"whether {there} has the interface {nic.source}", f"See: ip link on {there}.")
    elif nic.source not in probe.links:
        yield graded(
            sends_memory(context),
            f"interface {nic.mac}",
            f"{there} has no interface {nic.source}, on which this one sits.",
            f"Put the guest on a network or bridge that both hosts have under one name, or give the interface of "
            f"{there} in the same LAN that name.",
            evidence=_evidence(context, nic, "missing"),
        )


def _check_filter(context: PreflightContext, nic: NicFacts) -> Iterator[Said]:
    there, filters = context.destination.name, require_read(context.destination, "network filters").filters
    if filters is None:
        yield NotEvaluated(f"which network filters {there} has", f"Refresh {there}.")
    elif nic.filter not in filters:
        yield graded(
            sends_memory(context),
            f"interface {nic.mac}",
            f"{there} has no network filter {nic.filter}.",
            f"Define it there as {context.source.name} has it.",
            evidence=((context.source.name, f"filter {nic.filter}"), (there, "missing")),
            commands=copy_filter(context.source, context.destination, nic.filter),
        )


def _evidence(context: PreflightContext, nic: NicFacts, state: str) -> tuple[tuple[str, str], ...]:
    place = f"{nic.type} {nic.source}" + (f" portgroup {nic.portgroup}" if nic.portgroup else "")
    return ((context.source.name, place), (context.destination.name, state))


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
