"""The cases of the checks: what is wrong, what is not known, and what only looks wrong."""

from __future__ import annotations

import dataclasses

from hosts.facts.domain import SecretUse
from hosts.facts.host import HostCpu, SecretFacts
from hosts.facts.placement import FreePages, PageDemand
from hosts.facts.probe import HostProbe, PathIdentity, Probe, ProbeState
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
    with_probe,
)
from tests.jobs.preflight import cases_devices

B, W, I = Severity.BLOCKER, Severity.WARNING, Severity.INFO  # noqa: E741
FILTERED = Probe(ProbeState.FILTERED, "silence")
FAILED = Probe(ProbeState.FAILED, "refused")
REFUSED = Probe(ProbeState.FAILED, "nothing listens there")
NO_KEY = Probe(ProbeState.FAILED, "error: Cannot recv data: Host key verification failed.: Connection reset")
NEW_KEY = Probe(ProbeState.FAILED, "REMOTE HOST IDENTIFICATION HAS CHANGED! Host key verification failed.")
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


def over_ssh(login: Probe) -> PreflightContext:
    return context(peer_address="qemu+ssh://root@jupiter/system", peer_probe=probe(libvirt_login=login))


def resolving(address: str) -> PreflightContext:
    """The destination's name, as the source resolves it."""
    return context(destination=NO_ADDRESS, peer_probe=probe(name_resolves=Probe(ProbeState.OPEN, address)))


def saying_user(uid: int) -> PreflightContext:
    """libvirt tells of no user; the destination says it itself."""
    base = context()
    for which in ("source", "destination"):
        base = with_facts(base, which, qemu_uid=None, qemu_gid=None)
    return with_probe(base, "destination", qemu_uid=uid)


def without_microcode() -> PreflightContext:
    cpu = HostCpu("x86_64", "Skylake", "Intel", "", ("vmx",))
    return with_probe(with_facts(context(), "source", cpu=cpu), "source", microcode="")


def unprobed(which: str) -> PreflightContext:
    """A host that could not be asked over SSH."""
    base = context()
    unknown = HostProbe(why_unknown="Permission denied (publickey).")
    return dataclasses.replace(base, **{which: dataclasses.replace(getattr(base, which), probe=unknown)})


def with_pages(count: int) -> PreflightContext:
    """A guest of 2 GiB in huge pages, and so many of them free."""
    free = (FreePages(0, 4096, 1_000_000), FreePages(0, 2 * 2**20, count))
    return with_facts(of(huge_pages=(HUGE,)), "destination", free_pages=free)


def with_tsc(frequency_hz: int, **changes) -> PreflightContext:
    counter = {"tsc_frequency_hz": 2_596_122_000, "tsc_scaling": False}
    there = dataclasses.replace(ALIKE, **{**counter, **changes})
    return with_facts(of(tsc_frequency_hz=frequency_hz), "destination", cpu=there)


def writing(rate: str, **options) -> PreflightContext:
    return context(guest=guest(extra={"dirty_rate_mib_per_s": rate}), options=options)


def copied_shareable() -> PreflightContext:
    shareable = domain(disks=(disk(source_path=LOCAL_PATH, shareable=True),))
    return copying(guest=guest(shareable), options={"migrate_disks": ["vda"]})


NO_ADDRESS = side("jupiter")
ALIKE = HostCpu("x86_64", "Skylake", "Intel", "0x1", ("vmx",))
HUGE = PageDemand(2 * 2**20, 2 * GIB)
SECRET_UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
SECRET = SecretFacts(SECRET_UUID, "volume", "web01")
LUKS = disk(secrets=(SecretUse("passphrase", SECRET_UUID, ""),))
LIKE, UNLIKE = CpuComparison("superset"), CpuComparison("incompatible", "the CPU lacks avx512f")
UNASKED = Probe(ProbeState.UNKNOWN, "There is no virsh on the host.")
TRIED = probe(tried_ports=(49152, 49215))
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
    (
        "network.migration-ports",
        "last one filtered",
        B,
        context(peer_probe=probe(last_migration_port=FILTERED)),
    ),
    (
        "network.migration-ports",
        "answered by a rule",
        B,
        with_probe(context(), "destination", reset_ports=((49152, 49215),)),
    ),
    (
        "network.migration-ports",
        "fixed port filtered",
        B,
        context(
            options={"migrate_uri": "tcp://10.0.0.9:50000"},
            peer_probe=probe(migration_port=FILTERED, tried_ports=(50000, 50000)),
        ),
    ),
    (
        "network.migration-ports",
        "port for disks filtered",
        B,
        copying(options={"disks_port": 50001}, peer_probe=probe(disk_port=FILTERED, tried_disk_port=50001)),
    ),
    ("libvirt.name-resolution", "resolves to itself", B, resolving("127.0.1.1")),
    (
        "libvirt.name-resolution",
        "localhost",
        B,
        with_facts(context(destination=NO_ADDRESS), "destination", hostname="localhost.localdomain"),
    ),
    (
        "libvirt.reachable",
        "daemon does not listen",
        B,
        context(peer_probe=probe(libvirt_port=REFUSED, libvirt_login=FAILED)),
    ),
    (
        "libvirt.reachable",
        "daemon's port filtered",
        B,
        context(peer_probe=probe(libvirt_port=FILTERED, libvirt_login=FILTERED)),
    ),
    ("libvirt.reachable", "host key not known", B, over_ssh(NO_KEY)),
    ("libvirt.reachable", "host key changed", B, over_ssh(NEW_KEY)),
    (
        "host.microcode",
        "older",
        W,
        with_facts(context(), "destination", cpu=HostCpu("x86_64", "Skylake", "Intel", "0x2", ("vmx",))),
    ),
    ("cpu.baseline", "older processor there", W, context(host_cpus=(UNLIKE, LIKE))),
    ("cpu.baseline", "no way back", I, context(host_cpus=(LIKE, UNLIKE))),
    ("network.subnet", "two sites", W, with_probe(context(), "destination", addresses=("10.1.0.2/24",))),
    (
        "network.subnet",
        "only what every host makes for itself",
        W,
        with_probe(
            with_probe(context(), "source", addresses=("192.168.122.1/24", "10.1.0.1/24")),
            "destination",
            addresses=("192.168.122.1/24", "10.2.0.1/24"),
        ),
    ),
    ("ids.qemu-user", "user, shared file", B, with_facts(context(), "destination", qemu_uid=107)),
    ("ids.qemu-user", "group, shared file", B, with_facts(context(), "destination", qemu_gid=36)),
    ("ids.qemu-user", "user, copied", W, with_facts(copying(), "destination", qemu_uid=107)),
    ("ids.qemu-user", "libvirt's group", W, with_probe(context(), "destination", libvirt_gid=970)),
    ("ids.qemu-user", "the host's own word", B, saying_user(107)),
    ("time.host", "2 s apart", W, with_probe(context(), "destination", clock_offset_ms=2000)),
    ("time.host", "6 s apart", B, with_probe(context(), "source", clock_offset_ms=-6000)),
    ("time.host", "drifts", W, with_probe(context(), "source", clock_synchronised=False)),
    ("network.guest-nics", "no parent of macvtap", B, of(nics=(nic(type="direct", source="eth9"),))),
    (
        "network.same-lan",
        "bridge in another subnet",
        W,
        with_probe(
            of(nics=(nic(type="bridge", source="br0"),)),
            "destination",
            link_addresses={"br0": ("10.1.0.2/24",)},
        ),
    ),
    (
        "network.same-lan",
        "NAT of each host",
        W,
        with_facts(
            with_facts(context(), "destination", networks=(network(forward="nat"),)),
            "source",
            networks=(network(forward="nat"),),
        ),
    ),
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
    ("memory.headroom", "huge pages", B, with_pages(127)),
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
    ("disk.sata", "a disk", W, of(disks=(disk(bus="sata"),))),
    ("disk.sata", "an empty drive", I, of(disks=(cdrom(source_path=""),))),
    (
        "disk.sata",
        "old QEMU",
        B,
        with_facts(of(disks=(disk(bus="sata"),)), "destination", hypervisor_version=2_003_000),
    ),
    ("disk.floppy", "in the drive", W, of(disks=(disk(device="floppy", bus="fdc", target="fda"),))),
    ("disk.format", "vmdk", B, of(disks=(disk(format="vmdk"),))),
    ("disk.format", "layer in vdi", B, of(disks=(disk(backing_formats=("vdi",)),))),
    ("disk.shareable", "kept", W, of(disks=(disk(shareable=True),))),
    ("disk.shareable", "copied", B, copied_shareable()),
    ("disk.reservation", "managed", B, of(disks=(disk(reservations="managed"),))),
    ("disk.transient", "running", B, of(disks=(disk(transient=True),))),
    ("disk.nvme", "running", B, of(disks=(disk(type="nvme", source_path=""),))),
    ("disk.nvme", "offline", W, offline_of(disks=(disk(type="nvme", source_path=""),))),
    ("disk.encryption-secret", "not there", B, with_facts(of(disks=(LUKS,)), "destination", secrets=())),
    (
        "disk.encryption-secret",
        "offline",
        W,
        with_facts(offline_of(disks=(LUKS,)), "destination", secrets=()),
    ),
    ("cpu.invtsc", "no frequency", B, of(cpu=cpu(features=(("invtsc", "require"),)))),
    ("cpu.tsc-frequency", "other frequency", B, with_tsc(3_504_000_000)),
    ("cpu.pinning", "none of the processors", B, of(cpu_pins=(("virtual CPU 0", "8-9"),))),
    ("cpu.pinning", "some of the processors", W, of(cpu_pins=(("the emulator", "0-8"),))),
    ("cpu.pinning", "no such node", B, of(memory_nodes=(("preferred", "1"),))),
    ("load.heavy-writer", "capped link", W, writing("80", bandwidth_mib_per_s=100)),
    (
        "disk.shared",
        "look-alike file in like pools",
        B,
        context(
            peer_probe=probe(
                source_files={DISK_PATH: PathIdentity(7, 100, 0)},
                destination_files={DISK_PATH: PathIdentity(8, 100, 0)},
            )
        ),
    ),
    (
        "disk.shared",
        "floppy on the source's own disk",
        B,
        context(
            guest=guest(domain(disks=(disk(device="floppy", bus="fdc", source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=probe(file_systems={LOCAL_PATH: "xfs"}),
        ),
    ),
    (
        "disk.path",
        "network pool not started",
        B,
        with_facts(
            context(destination_reading=reading(volumes={})), "destination", pools=(pool(active=False),)
        ),
    ),
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
    (
        "network.guest-nics",
        B,
        context(
            guest=guest(domain(nics=(nic(type="direct", source="eth0"),))),
            destination=side("jupiter", probe=None),
        ),
    ),
    ("libvirt.reachable", W, context(peer_probe=probe(libvirt_login=UNASKED, libvirt_port=UNASKED))),
    (
        "network.migration-ports",
        W,
        context(options={"migrate_uri": "tcp://10.0.0.9:50000"}, peer_probe=TRIED),
    ),
    ("network.migration-ports", W, copying(options={"disks_port": 50001})),
    ("host.microcode", W, without_microcode()),
    ("cpu.baseline", W, context(host_cpus=(CpuComparison("unknown", "not supported"), LIKE))),
    ("network.subnet", W, unprobed("source")),
    ("network.subnet", W, with_probe(context(), "destination", addresses=())),
    ("ids.qemu-user", W, unprobed("destination")),
    ("time.host", W, unprobed("destination")),
    ("time.host", W, with_probe(context(), "destination", clock_offset_ms=None)),
    ("time.host", I, with_probe(context(), "source", clock_synchronised=None)),
    ("kind.managed-save", B, offline(guest=guest(status=status("shut off/saved", managed_save=None)))),
    ("memory.headroom", B, of(huge_pages=(HUGE,))),
    (
        "memory.headroom",
        B,
        with_facts(of(huge_pages=(HUGE,)), "destination", unread=(("free pages", "not supported"),)),
    ),
    ("disk.encryption-secret", B, of(disks=(LUKS,))),
    (
        "disk.encryption-secret",
        B,
        with_facts(of(disks=(LUKS,)), "destination", unread=(("secrets", "not supported"),)),
    ),
    ("cpu.tsc-frequency", B, of(tsc_frequency_hz=3_504_000_000)),
    (
        "disk.shared",
        B,
        context(
            guest=guest(domain(disks=(disk(type="block", source_path="/dev/sdb"),))),
            destination_reading=reading(volumes={"/dev/sdb": volume("/dev/sdb")}),
            peer_probe=probe(file_systems={"/dev/sdb": "tmpfs"}),
        ),
    ),
]


RIGHT_BUT_TEMPTING = [
    ("clock within the error", with_probe(context(), "source", clock_offset_ms=2000, clock_error_ms=1500)),
    (
        "microcode as libvirt and as the kernel say it",
        with_facts(context(), "source", cpu=HostCpu("x86_64", "Skylake", "Intel", "1", ("vmx",))),
    ),
    (
        "bridge of Open vSwitch",
        with_probe(of(nics=(nic(type="bridge", source="br-int"),)), "destination", links=("br-int",)),
    ),
    ("parent of macvtap is there", of(nics=(nic(type="direct", source="eth0"),))),
    (
        "rule for other ports",
        with_probe(context(), "destination", reset_ports=((5900, 5999),)),
    ),
    (
        "ports asked for in the options are open",
        context(
            options={"migrate_uri": "tcp://10.0.0.9:50000"}, peer_probe=probe(tried_ports=(50000, 50000))
        ),
    ),
    ("ISO is there", of(disks=(disk(),))),
    ("empty CD drive", of(disks=(disk(), cdrom(source_path="", bus="scsi")))),
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
    ("empty floppy drive", of(disks=(disk(), disk(device="floppy", bus="fdc", source_path="")))),
    ("formats that only sound foreign", of(disks=(disk(format="qcow2", backing_formats=("dmg", "raw")),))),
    ("transient disk offline", offline_of(disks=(disk(transient=True),))),
    ("huge pages just fit", with_pages(1024)),
    (
        "memory in huge pages is not taken from what is free",
        with_facts(with_pages(1024), "destination", memory_free_bytes=0),
    ),
    ("secret of that UUID", with_facts(of(disks=(LUKS,)), "destination", secrets=(SECRET,))),
    ("frequency within tolerance", with_tsc(2_596_600_000)),
    ("frequency can be scaled", with_tsc(3_504_000_000, tsc_scaling=True)),
    ("pinned to what is there", of(cpu_pins=(("virtual CPU 0", "0-9,^8,^9"),))),
    ("busy guest on an open link", writing("5000")),
    ("busy guest, moved paused", writing("5000", kind="non-live", bandwidth_mib_per_s=1)),
    ("busy guest, slowed down", writing("5000", auto_converge=True, bandwidth_mib_per_s=1)),
    (
        "one server under two names, the very same file",
        with_facts(
            context(
                peer_probe=probe(
                    source_files={DISK_PATH: PathIdentity(7, 100, 5)},
                    destination_files={DISK_PATH: PathIdentity(7, 100, 5)},
                )
            ),
            "destination",
            pools=(pool(source="netfs glusterfs storage:VM"),),
        ),
    ),
    (
        "image outside pools, seen by both hosts",
        context(
            destination_reading=reading(volumes={}),
            peer_probe=probe(
                source_files={DISK_PATH: PathIdentity(7, 100, 5)},
                destination_files={DISK_PATH: PathIdentity(7, 100, 5)},
            ),
        ),
    ),
]

CASES += cases_devices.CASES
UNKNOWN += cases_devices.UNKNOWN
RIGHT_BUT_TEMPTING += cases_devices.RIGHT_BUT_TEMPTING
