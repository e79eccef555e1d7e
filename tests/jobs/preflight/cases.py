"""The cases of the checks: what is wrong, what is not known, and what only looks wrong."""

from __future__ import annotations

import dataclasses

from hosts.facts.host import HostCpu
from hosts.facts.probe import Probe, ProbeState
from hosts.ports import CpuComparison
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from tests.jobs.builders import (
    DISK_PATH,
    GIB,
    LOCAL_PATH,
    UUID,
    cdrom,
    context,
    copying,
    cpu,
    device,
    disk,
    domain,
    guest,
    local_pool,
    neighbour,
    network,
    nic,
    offline,
    pool,
    probe,
    reading,
    side,
    status,
    volume,
    with_facts,
)

B, W, I = Severity.BLOCKER, Severity.WARNING, Severity.INFO  # noqa: E741
FILTERED = Probe(ProbeState.FILTERED, "silence")
FAILED = Probe(ProbeState.FAILED, "refused")
FOREIGN = HostCpu("x86_64", "EPYC", "AMD", "0x9")


def of(**changes) -> PreflightContext:
    """The right context with another domain."""
    return context(guest=guest(domain(**changes)))


def in_state(words: str, kind: str = "live", **changes) -> PreflightContext:
    return context(guest=guest(status=status(words, **changes)), options={"kind": kind})


def beside(**changes) -> PreflightContext:
    return context(neighbours=(neighbour(**changes),))


def offline_of(**changes) -> PreflightContext:
    return offline(guest=guest(domain(**changes), status=status("shut off/shutdown")))


def paused(**extra: str) -> PreflightContext:
    return context(guest=guest(status=status("paused/user"), extra=extra), options={"kind": "non-live"})


NO_ADDRESS = side("jupiter")
SHARED_COPY = {"storage": "copy-all"}

CASES: list[tuple[str, str, Severity, PreflightContext]] = [
    ("host.same", "one machine", B, with_facts(context(), "destination", host_uuid="uuid-of-mercury")),
    ("host.same", "one name", B, with_facts(context(), "destination", hostname="mercury")),
    (
        "host.architecture",
        "arm",
        B,
        with_facts(context(), "destination", cpu=HostCpu("aarch64", "a", "b", "")),
    ),
    ("host.hypervisor", "xen", B, with_facts(context(), "destination", hypervisor="Xen")),
    ("host.hypervisor", "no kvm", B, with_facts(context(), "destination", guests_supported=())),
    ("host.versions", "unknown machine type", B, of(machine="pc-q35-9.9")),
    ("host.versions", "older libvirt", W, with_facts(context(), "destination", library_version=8_000_000)),
    ("host.versions", "older QEMU", W, with_facts(context(), "destination", hypervisor_version=6_000_000)),
    ("libvirt.reachable", "silent", B, context(destination=side("jupiter", silent_reason="no route"))),
    ("libvirt.reachable", "never read", B, context(source=dataclasses.replace(side("mercury"), facts=None))),
    ("libvirt.reachable", "login refused", B, context(peer_probe=probe(libvirt_login=FAILED))),
    ("libvirt.reachable", "login filtered", B, context(peer_probe=probe(libvirt_login=FILTERED))),
    (
        "libvirt.name-resolution",
        "no such name",
        B,
        context(destination=NO_ADDRESS, peer_probe=probe(name_resolves=FAILED)),
    ),
    ("network.migration-ports", "filtered", B, context(peer_probe=probe(migration_port=FILTERED))),
    ("name.running-clash", "same name", B, beside(name="web01")),
    ("name.running-clash", "same name, paused", B, beside(name="web01", state="paused")),
    ("name.running-clash", "split brain", B, beside(domain_uuid=UUID, name="web01")),
    (
        "name.running-clash",
        "name to be given there",
        B,
        context(options={"destination_name": "db01"}),
    ),
    (
        "name.running-clash",
        "shut off here, runs there",
        B,
        offline(neighbours=(neighbour(domain_uuid=UUID),)),
    ),
    ("name.shutoff-clash", "overwritten", W, beside(domain_uuid=UUID, name="web01", state="shut off")),
    ("name.shutoff-clash", "other guest", B, beside(name="web01", state="shut off")),
    ("name.uuid-clash", "other name", B, beside(domain_uuid=UUID, name="old-web", state="shut off")),
    (
        "name.uuid-clash",
        "renamed on the way",
        B,
        context(
            neighbours=(neighbour(domain_uuid=UUID, name="web01", state="shut off"),),
            options={"destination_name": "web02"},
        ),
    ),
    ("disk.path", "nothing there", B, context(destination_reading=reading(volumes={DISK_PATH: None}))),
    (
        "disk.path",
        "no base image",
        B,
        context(
            guest=guest(domain(disks=(disk(backing_paths=("/base.qcow2",)),))),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/base.qcow2": None}),
        ),
    ),
    (
        "disk.path",
        "pool of a volume missing",
        B,
        of(disks=(disk(type="volume", source_path="", pool="gone", volume="web01"),)),
    ),
    (
        "disk.shared",
        "look-alike export",
        B,
        with_facts(context(), "destination", pools=(pool(source="netfs glusterfs other:VM"),)),
    ),
    (
        "disk.shared",
        "local file",
        B,
        context(
            guest=guest(domain(disks=(disk(source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=probe(file_systems={LOCAL_PATH: "ext2/ext3"}),
        ),
    ),
    (
        "disk.shared",
        "local file, unsafe on purpose",
        W,
        context(
            guest=guest(domain(disks=(disk(source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=probe(file_systems={LOCAL_PATH: "xfs"}),
            options={"unsafe": True},
        ),
    ),
    (
        "disk.cache-unsafe",
        "old QEMU",
        B,
        with_facts(
            context(guest=guest(domain(disks=(disk(cache="writeback"),)))),
            "source",
            hypervisor_version=3_001_000,
        ),
    ),
    (
        "disk.cache-unsafe",
        "old QEMU, unsafe on purpose",
        W,
        with_facts(
            context(guest=guest(domain(disks=(disk(cache=""),))), options={"unsafe": True}),
            "source",
            hypervisor_version=3_001_000,
        ),
    ),
    ("disk.pool-twin", "no pool", B, with_facts(copying(), "destination", pools=(pool(),))),
    (
        "disk.pool-twin",
        "pool not active",
        B,
        with_facts(copying(), "destination", pools=(local_pool(active=False),)),
    ),
    (
        "disk.pool-twin",
        "block device",
        B,
        copying(
            guest=guest(domain(disks=(disk(type="block", source_path="/dev/vg/web01"),))),
            destination_reading=reading(volumes={"/dev/vg/web01": None}),
        ),
    ),
    ("disk.space", "full", B, copying(disk_capacity_bytes={"vda": 51 * GIB})),
    ("disk.space", "planned moves", B, copying(planned_storage_bytes={"local": 45 * GIB})),
    (
        "disk.target-exists",
        "same size",
        B,
        copying(destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)})),
    ),
    (
        "disk.target-exists",
        "same size, confirmed",
        W,
        copying(
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            options={"confirmed_name": "web01"},
        ),
    ),
    (
        "disk.target-exists",
        "other size, confirmed",
        B,
        copying(
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH, capacity_bytes=GIB)}),
            options={"confirmed_name": "web01"},
        ),
    ),
    ("disk.top-layer-target", "no target", B, copying(options={"storage": "copy-incremental"})),
    ("disk.copy-onto-itself", "shared pool", B, context(options=SHARED_COPY)),
    (
        "disk.copy-onto-itself",
        "probably shared",
        W,
        copying(peer_probe=probe(file_systems={LOCAL_PATH: "nfs"})),
    ),
    (
        "disk.removable-media",
        "medium missing",
        B,
        context(
            guest=guest(domain(disks=(disk(), cdrom()))),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/iso/tools.iso": None}),
        ),
    ),
    (
        "disk.removable-media",
        "optional medium dropped",
        W,
        context(
            guest=guest(domain(disks=(disk(), cdrom(startup_policy="optional")))),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/iso/tools.iso": None}),
        ),
    ),
    ("disk.snapshots", "two", B, context(guest=guest(snapshot_count=2))),
    ("disk.checkpoints", "some", W, context(guest=guest(extra={"checkpoints": "yes"}))),
    ("disk.blockjob", "one", B, context(guest=guest(extra={"block_jobs": "vda"}))),
    ("state.job-active", "a move", B, in_state("running/booted", job="unbounded")),
    ("state.readable", "unreadable", B, context(guest=guest(extra={"unread": "monitor"}))),
    ("state.paused-since-arrival", "arrived paused", B, paused(ran_here="no")),
    ("memory.headroom", "full", B, with_facts(context(), "destination", memory_free_bytes=GIB)),
    ("memory.headroom", "planned moves", B, context(planned_memory_bytes=31 * GIB)),
    ("memory.headroom", "huge pages", W, of(hugepages=True)),
    ("cpu.headroom", "large guest", W, of(vcpus=16)),
    ("cpu.host-model", "alike", W, of(cpu=cpu(mode="host-passthrough"))),
    (
        "cpu.host-model",
        "different",
        B,
        with_facts(of(cpu=cpu(mode="host-passthrough")), "destination", cpu=FOREIGN),
    ),
    (
        "cpu.features",
        "missing features",
        B,
        context(destination_reading=reading(cpu=CpuComparison("incompatible", "missing: avx512"))),
    ),
    (
        "cpu.features",
        "not comparable, alike",
        W,
        context(destination_reading=reading(cpu=CpuComparison("unknown", "not supported"))),
    ),
    ("network.guest-nics", "no network", B, with_facts(context(), "destination", networks=())),
    (
        "network.guest-nics",
        "inactive",
        B,
        with_facts(context(), "destination", networks=(network(active=False),)),
    ),
    ("network.guest-nics", "no portgroup", B, of(nics=(nic(portgroup="office"),))),
    ("network.guest-nics", "no bridge", B, of(nics=(nic(type="bridge", source="br9"),))),
    ("network.guest-nics", "offline", W, with_facts(offline(), "destination", networks=())),
    (
        "network.same-lan",
        "bridge and NAT",
        W,
        with_facts(context(), "destination", networks=(network(forward="nat"),)),
    ),
    ("network.mac-clash", "clone", W, beside(macs=("52:54:00:00:00:01",))),
    (
        "graphics.listen",
        "no address known",
        B,
        context(guest=guest(domain(graphics=(("vnc", "10.99.0.1"),))), destination=NO_ADDRESS),
    ),
    ("graphics.listen", "changed on the way", I, of(graphics=(("vnc", "10.99.0.1"),))),
    ("graphics.listen", "offline", W, offline_of(graphics=(("vnc", "10.99.0.1"),))),
    ("kind.state", "live of a shut-off guest", B, in_state("shut off/shutdown")),
    ("kind.state", "live of a paused guest", B, in_state("paused/user")),
    ("kind.state", "disk error", B, in_state("paused/ioerror", "non-live")),
    ("kind.state", "crashed", B, in_state("crashed/panicked")),
    ("kind.state", "asleep", B, in_state("suspended/unknown")),
    ("kind.state", "offline of a running guest", B, in_state("running/booted", "offline")),
    ("kind.options", "post-copy after nothing", B, context(options={"postcopy_after_precopy": True})),
    ("kind.options", "no such disk", B, copying(options={"migrate_disks": ["vdz"]})),
    ("kind.offline-persistent", "not kept", B, offline(options={"persistent": False})),
    ("kind.undefine-without-persistent", "nowhere", B, context(options={"persistent": False})),
    (
        "kind.undefine-without-persistent",
        "nowhere, confirmed",
        W,
        context(options={"persistent": False, "confirmed_name": "web01"}),
    ),
    (
        "kind.managed-save",
        "saved",
        B,
        offline(guest=guest(status=status("shut off/saved", managed_save=True))),
    ),
    ("device.passthrough", "PCI", B, of(devices=(device("hostdev", type="pci"),))),
    ("device.passthrough", "SR-IOV", B, of(nics=(nic(type="hostdev"),))),
    (
        "device.passthrough",
        "failover pair",
        I,
        of(
            devices=(device("hostdev", xml="<hostdev><teaming type='transient' persistent='ua'/></hostdev>"),)
        ),
    ),
    ("device.filesystem", "9p", B, of(devices=(device("filesystem", source="/srv"),))),
    ("firmware.nvram", "variables", B, offline_of(nvram="/var/lib/libvirt/qemu/nvram/web01.fd")),
    ("firmware.nvram", "TPM", B, offline_of(devices=(device("tpm"),))),
]

UNKNOWN: list[tuple[str, Severity, PreflightContext]] = [
    ("host.same", B, context(destination=dataclasses.replace(side("jupiter"), facts=None))),
    ("libvirt.reachable", W, context(peer_probe=None)),
    ("network.migration-ports", W, context(peer_probe=None)),
    ("libvirt.name-resolution", W, context(peer_probe=None, destination=NO_ADDRESS)),
    ("name.running-clash", B, context(neighbours=None)),
    ("name.shutoff-clash", B, context(neighbours=None)),
    ("name.uuid-clash", B, context(neighbours=None)),
    ("disk.path", B, context(destination_reading=None)),
    ("disk.path", B, context(destination_reading=reading(volumes={}))),
    (
        "disk.shared",
        B,
        context(
            guest=guest(domain(disks=(disk(source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=None,
        ),
    ),
    ("disk.target-exists", B, copying(destination_reading=None)),
    ("disk.space", W, copying(disk_capacity_bytes={})),
    ("disk.pool-twin", B, with_facts(copying(), "destination", unread=(("storage pools", "not supported"),))),
    ("disk.removable-media", B, of(disks=(disk(), cdrom()))),
    ("disk.snapshots", B, context(guest=guest(snapshot_count=None))),
    ("memory.headroom", B, with_facts(context(), "destination", memory_free_bytes=None)),
    ("cpu.features", B, context(destination_reading=None)),
    (
        "cpu.features",
        B,
        with_facts(
            context(destination_reading=reading(cpu=CpuComparison("unknown", ""))), "destination", cpu=FOREIGN
        ),
    ),
    ("network.guest-nics", B, with_facts(context(), "destination", unread=(("networks", "not supported"),))),
    ("network.guest-nics", B, of(nics=(nic(type="direct", source="eth0"),))),
    ("kind.managed-save", B, offline(guest=guest(status=status("shut off/saved", managed_save=None)))),
]


RIGHT_BUT_TEMPTING = [
    ("ISO is there", of(disks=(disk(),))),
    ("empty CD drive", of(disks=(disk(), cdrom(source_path="")))),
    ("modern QEMU with cache", of(disks=(disk(cache="writeback"),))),
    (
        "address already in options",
        context(destination=NO_ADDRESS, options={"migrate_uri": "tcp://10.0.0.9"}),
    ),
    ("console on localhost", of(graphics=(("vnc", "127.0.0.1"), ("spice", "::")))),
    ("driven from here", context(peer_probe=probe(libvirt_login=FAILED), options={"control": "direct"})),
    ("network disk", of(disks=(disk(type="network", source_path="", network_source="rbd:pool/web01"),))),
    ("paused move of a guest that ran", paused()),
    ("not comparable CPU not used", of(cpu=cpu(mode="", model="", xml=""))),
    ("diskless", of(disks=())),
    (
        "older host as source",
        with_facts(context(), "source", library_version=8_000_000, hypervisor_version=6_000_000),
    ),
    ("offline without free memory", with_facts(offline(), "destination", memory_free_bytes=0)),
    ("named disk is the only local one", copying(options={"migrate_disks": ["vda"]})),
]
