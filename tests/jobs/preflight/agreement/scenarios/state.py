"""What the guest is busy with, and what does not come along."""

from __future__ import annotations

from typing import Any

import libvirt

from tests.jobs.preflight.agreement.bench import LOCAL, NAME, SHARED, Bench
from tests.jobs.preflight.agreement.guests import disk
from tests.jobs.preflight.agreement.scenario import scenario
from tests.waiting import wait_until

GROUP = "State of the guest"
IMAGE = f"{SHARED}/{NAME}.qcow2"


def _with_qcow2(bench: Bench, state: str = "running") -> Any:
    return bench.guest(disk(bench.qcow2(IMAGE), form="qcow2"), state=state)


def _run_then_pause(bench: Bench) -> None:
    domain = bench.guest(disk(bench.image(f"{SHARED}/{NAME}.img")))

    def has_run() -> bool:
        ((_, values),) = bench.virt(bench.source).domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_VCPU)
        return bool(values.get("vcpu.0.time"))

    wait_until(has_run, 10, "the guest has run")
    domain.suspend()
    bench.wants_state = "paused"


@scenario(GROUP, "an internal snapshot", "disk.snapshots")
def internal_snapshot(bench: Bench) -> None:
    _with_qcow2(bench).snapshotCreateXML("<domainsnapshot><name>before</name></domainsnapshot>")


@scenario(GROUP, "an internal snapshot of a shut-off guest", "disk.snapshots")
def internal_snapshot_offline(bench: Bench) -> dict[str, Any]:
    _with_qcow2(bench, "shut off").snapshotCreateXML("<domainsnapshot><name>before</name></domainsnapshot>")
    return {"kind": "offline"}


@scenario(GROUP, "a checkpoint for incremental backups", "disk.checkpoints")
def checkpoint(bench: Bench) -> None:
    _with_qcow2(bench).checkpointCreateXML("<domaincheckpoint><name>monday</name></domaincheckpoint>")


@scenario(GROUP, "a block job on the disk", "disk.blockjob")
def block_job(bench: Bench) -> None:
    domain = _with_qcow2(bench)
    copy = f"{LOCAL}/copy.qcow2"
    bench.forget_file(bench.here, copy)
    domain.blockCopy(
        "vda",
        f"<disk type='file'><source file='{copy}'/><driver type='qcow2'/></disk>",
        {},
        libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB,
    )
    wait_until(lambda: domain.blockJobInfo("vda"), 10, "the block job runs")


@scenario(GROUP, "a paused guest that ran here before")
def paused_guest(bench: Bench) -> dict[str, Any]:
    _run_then_pause(bench)
    return {"kind": "non-live"}


@scenario(
    GROUP,
    "a paused guest, moved live",
    "kind.state",
    on_purpose="QEMU sends it all the same; a paused guest has no use for a live move, so people choose knowingly",
)
def paused_guest_live(bench: Bench) -> None:
    _run_then_pause(bench)


@scenario(
    GROUP,
    "a guest that was started paused and never ran",
    "state.paused-since-arrival",
    on_purpose="it cannot be told from one that arrived paused, and that one would be lost",
)
def started_paused(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{SHARED}/{NAME}.img")), state="paused")
    return {"kind": "non-live"}


@scenario(GROUP, "a guest that arrived paused and has not run since", "state.paused-since-arrival")
def paused_since_arrival(bench: Bench) -> dict[str, Any]:
    domain = bench.guest(disk(bench.image(f"{SHARED}/{NAME}.img")))
    domain.suspend()
    bench.source, bench.destination = bench.destination, bench.source
    flags = 1 | 2 | 8  # live, peer-to-peer, persistent
    domain.migrateToURI3(bench.here.peer_uri("tcp"), {"migrate_uri": f"tcp://{bench.here.address}"}, flags)
    domain.undefine()
    bench.wants_state = "paused"
    return {"kind": "non-live"}


@scenario(
    GROUP,
    "an offline move of a running guest",
    "kind.state",
    on_purpose="libvirt leaves a second definition of a running guest at the destination",
)
def offline_while_running(bench: Bench) -> dict[str, Any]:
    bench.guest()
    return {"kind": "offline"}


@scenario(GROUP, "a live move of a shut-off guest", "kind.state")
def live_while_shut_off(bench: Bench) -> None:
    bench.guest(state="shut off")


@scenario(
    GROUP,
    "an offline move of a guest with saved memory",
    "kind.managed-save",
    on_purpose="libvirt leaves the saved memory at the source, and the guest starts cold at the destination",
)
def managed_save_offline(bench: Bench) -> dict[str, Any]:
    domain = bench.guest()
    domain.managedSave(0)
    bench.wants_state = "shut off"
    return {"kind": "offline"}


@scenario(GROUP, "a transient guest")
def transient_guest(bench: Bench) -> None:
    bench.guest(state="transient")


@scenario(GROUP, "a guest with autostart, moved without a definition", "guest.autostart")
def autostart(bench: Bench) -> dict[str, Any]:
    bench.guest().setAutostart(True)
    return {"persistent": False, "undefine_source": False}


@scenario(
    GROUP,
    "more memory than the destination has free",
    "memory.headroom",
    on_purpose="QEMU takes memory only when the guest writes to it; later the destination would run out of it",
)
def more_memory_than_free(bench: Bench) -> None:
    free = bench.virt(bench.destination).getMemoryStats(-1)
    kib = free["free"] + free["buffers"] + free["cached"] + 256 * 1024
    bench.guest(memory=f"<memory unit='KiB'>{kib}</memory>")


@scenario(GROUP, "options that exclude each other: tunnelled and parallel", "kind.options")
def options_that_exclude_each_other(bench: Bench) -> dict[str, Any]:
    bench.guest()
    return {"control": "tunnelled", "parallel": True}


@scenario(GROUP, "an offline move that keeps no definition there", "kind.offline-persistent")
def offline_without_persistent(bench: Bench) -> dict[str, Any]:
    bench.guest(state="shut off")
    return {"kind": "offline", "persistent": False, "undefine_source": False}


@scenario(
    GROUP,
    "the guest would be defined on neither host",
    "kind.undefine-without-persistent",
    on_purpose="libvirt does as it is told, and the guest is lost at its next stop",
)
def defined_nowhere(bench: Bench) -> dict[str, Any]:
    bench.guest()
    return {"persistent": False, "undefine_source": True}


@scenario(GROUP, "the same, confirmed with the guest's name", "kind.undefine-without-persistent")
def defined_nowhere_confirmed(bench: Bench) -> dict[str, Any]:
    bench.guest()
    return {"persistent": False, "undefine_source": True, "confirmed_name": NAME}
