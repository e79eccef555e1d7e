"""What the guest is busy with, and what libvirt cannot take along."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, guest, sends_memory, warning


@check(
    "disk.snapshots",
    title="The guest has no snapshots that libvirt knows",
    source="libvirt: qemuMigrationSrcIsAllowed, “cannot migrate domain with N snapshots” (code 55, "
    "offline too)",
    waivable=False,
)
def check_snapshots(context: PreflightContext) -> Iterator[Said]:
    count = context.guest.snapshot_count
    if count is None:
        raise NotEvaluated("how many snapshots the guest has", f"Refresh {context.source.name}.")
    if count:
        yield blocker(
            guest(context),
            f"The guest has {count} snapshot{'s' if count > 1 else ''}; libvirt cannot take them "
            "along and refuses.",
            f"Delete them, or their records only: virsh snapshot-delete {context.guest.name} NAME "
            "--metadata.",
            evidence=((context.source.name, f"{count} snapshots"),),
        )


@check(
    "disk.checkpoints",
    title="The guest has no checkpoints of incremental backups",
    source="measured: checkpoints are lost at the destination without a word",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_checkpoints(context: PreflightContext) -> Iterator[Said]:
    if context.guest.extra.get("checkpoints"):
        yield warning(
            guest(context),
            "The guest has checkpoints; they do not move with it.",
            "Make a full backup after the move; incremental ones cannot go on.",
            evidence=((context.source.name, "has checkpoints"),),
        )


@check(
    "disk.blockjob",
    title="No block job runs on the guest's disks",
    source="libvirt: qemuMigrationSrcIsAllowed (code 55)",
    waivable=False,
)
def check_block_jobs(context: PreflightContext) -> Iterator[Said]:
    targets = context.guest.extra.get("block_jobs", "")
    if targets and sends_memory(context):
        yield blocker(
            guest(context),
            f"A block job runs on {targets}.",
            f"Wait for it, or end it: virsh blockjob {context.guest.name} {targets.split(',')[0]} --abort.",
            evidence=((context.source.name, f"block job on {targets}"),),
        )


@check(
    "state.job-active",
    title="No other job runs on the guest",
    source="measured: a second move waits more than 60 s and fails (code 55)",
    waivable=False,
)
def check_job(context: PreflightContext) -> Iterator[Said]:
    job = context.guest.status.job
    if job:
        yield blocker(
            guest(context),
            "Another job (a move, a save, a dump or a backup) runs on the guest.",
            f"Wait for it, or end it: virsh domjobabort {context.guest.name}.",
            evidence=((context.source.name, f"job {job}"),),
        )


@check(
    "state.readable",
    title="The guest could be read",
    source="a guest that libvirt cannot describe cannot be checked",
    waivable=False,
)
def check_readable(context: PreflightContext) -> Iterator[Said]:
    reason = context.guest.extra.get("unread", "")
    if reason:
        yield blocker(
            guest(context),
            f"{context.source.name} could not describe the guest.",
            f"See what this says there: virsh dumpxml {context.guest.name}.",
            evidence=((context.source.name, reason),),
        )
