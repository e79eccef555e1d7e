"""Whether the two hosts can hold the same guest at all."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.host import GuestSupport, HostFacts, version_text
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.registry import Said, check, pair_part
from jobs.preflight.say import blocker, both, facts_of, guest, host, warning


@pair_part("host.same")
@check(
    "host.same",
    title="Source and destination are different machines",
    source="libvirt: qemuMigrationCookieXMLParse, “Attempt to migrate guest to the same host”",
    waivable=False,
)
def check_same(context: PreflightContext) -> Iterator[Said]:
    source, destination = facts_of(context.source), facts_of(context.destination)
    if source.host_uuid and source.host_uuid.lower() == destination.host_uuid.lower():
        yield blocker(
            host(context.destination),
            f"{context.source.name} and {context.destination.name} have the same host UUID; libvirt refuses.",
            "Choose another host. If they are two machines (cloned hardware), give one a host_uuid "
            "of its own "
            "in /etc/libvirt/libvirtd.conf (or virtqemud.conf) and restart its libvirt.",
            evidence=both(context, source.host_uuid, destination.host_uuid),
        )
    elif source.hostname and source.hostname == destination.hostname:
        yield blocker(
            host(context.destination),
            f"{context.source.name} and {context.destination.name} call themselves {source.hostname}; "
            "libvirt takes them for one host.",
            "Give one of them another name: hostnamectl set-hostname NAME, then restart its libvirt.",
            evidence=both(context, source.hostname, destination.hostname),
        )


@pair_part("host.architecture")
@check(
    "host.architecture",
    title="Source and destination have the same architecture",
    source="SUSE virtualization guide, migration requirements",
    waivable=False,
)
def check_architecture(context: PreflightContext) -> Iterator[Said]:
    source, destination = facts_of(context.source), facts_of(context.destination)
    if source.cpu.architecture != destination.cpu.architecture:
        yield blocker(
            host(context.destination),
            f"{context.destination.name} is {destination.cpu.architecture or 'of unknown architecture'}, "
            f"{context.source.name} is {source.cpu.architecture or 'of unknown architecture'}.",
            f"Choose a destination that is {source.cpu.architecture}.",
            evidence=both(context, source.cpu.architecture, destination.cpu.architecture),
        )


@check(
    "host.hypervisor",
    title="The destination has the same hypervisor and offers the guest's type",
    source="libvirt: capabilities <guest>",
    waivable=False,
)
def check_hypervisor(context: PreflightContext) -> Iterator[Said]:
    source, destination = facts_of(context.source), facts_of(context.destination)
    facts = context.guest.facts
    if source.hypervisor.lower() != destination.hypervisor.lower():
        yield from check_hypervisor_of_pair(context)
    elif not any(facts.virt_type in item.virt_types for item in _offers(context, destination)):
        yield blocker(
            guest(context),
            f"{context.destination.name} cannot run {facts.virt_type} guests of {facts.architecture}.",
            "For kvm: enable virtualization in the firmware and load kvm_intel or kvm_amd there."
            if facts.virt_type == "kvm"
            else "Install the emulator there, or choose another destination.",
            evidence=both(context, facts.virt_type, _virt_types(_offers(context, destination))),
        )


@pair_part("host.hypervisor")
def check_hypervisor_of_pair(context: PreflightContext) -> Iterator[Said]:
    source, destination = facts_of(context.source), facts_of(context.destination)
    if source.hypervisor.lower() != destination.hypervisor.lower():
        yield blocker(
            host(context.destination),
            f"{context.destination.name} runs {destination.hypervisor}, {context.source.name} "
            f"{source.hypervisor}.",
            "Choose a destination with the same hypervisor.",
            evidence=both(context, source.hypervisor, destination.hypervisor),
        )


def _offers(context: PreflightContext, facts: HostFacts) -> list[GuestSupport]:
    wanted = context.guest.facts
    return [
        item
        for item in facts.guests_supported
        if item.architecture == wanted.architecture and item.os_type == wanted.os_type
    ]


def _virt_types(offers: list[GuestSupport]) -> str:
    return ", ".join(sorted({virt_type for item in offers for virt_type in item.virt_types})) or "none"


@check(
    "host.versions",
    title="The destination knows the guest's machine type and is not older than the source",
    source="libvirt: capabilities <machine>; peers' users hurt by moves to older versions",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_versions(context: PreflightContext) -> Iterator[Said]:
    destination = facts_of(context.destination)
    machine = context.guest.facts.machine
    known = {name for item in _offers(context, destination) for name in item.machines}
    if machine and machine not in known:
        yield blocker(
            guest(context),
            f"{context.destination.name} does not know the machine type {machine}.",
            f"Update QEMU on {context.destination.name}, or give the guest an older machine type at "
            "its next start.",
            evidence=both(context, machine, f"QEMU {version_text(destination.hypervisor_version)}"),
        )
    yield from check_versions_of_pair(context)


@pair_part("host.versions")
def check_versions_of_pair(context: PreflightContext) -> Iterator[Said]:
    source, destination = facts_of(context.source), facts_of(context.destination)
    yield from _older(context, "libvirt", source.library_version, destination.library_version)
    yield from _older(context, source.hypervisor, source.hypervisor_version, destination.hypervisor_version)


def _older(context: PreflightContext, what: str, source: int, destination: int) -> Iterator[Finding]:
    if destination < source:
        yield warning(
            host(context.destination),
            f"{what} on {context.destination.name} is older than on {context.source.name}; "
            "moving back to older versions is not tested by its makers.",
            f"Update {what} on {context.destination.name} first.",
            evidence=both(context, version_text(source), version_text(destination)),
        )
