"""Host caches of disks that change hands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DiskFacts
from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import CLUSTER_FILE_SYSTEMS, file_system_of, kept_disks
from jobs.preflight.findings import Severity
from jobs.preflight.fixes import set_cache_none
from jobs.preflight.registry import Said, check
from jobs.preflight.say import facts_of, graded

# QEMU can drop its host page cache at the switch-over (libvirt: QEMU_CAPS_MIGRATION_FILE_DROP_CACHE).
DROPS_CACHE_SINCE: Final = 4_000_000
SAFE_CACHES: Final = frozenset({"none", "directsync"})


@check(
    "disk.cache-unsafe",
    title="Cached writes cannot be lost at the switch-over",
    source="libvirt: qemuMigrationSrcIsSafe; SUSE virtualization guide: cache=none",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_cache(context: PreflightContext) -> Iterator[Said]:
    """libvirt's own rule, word for word: with QEMU 4.0 or newer at the source it never fires."""
    if context.options.kind is Kind.OFFLINE:
        return
    disks = [
        disk for disk in kept_disks(context.guest.facts, context.options) if not _cache_safe(context, disk)
    ]
    if not disks or facts_of(context.source).hypervisor_version >= DROPS_CACHE_SINCE:
        return
    for disk in disks:
        yield graded(
            not context.options.unsafe,
            f"disk {disk.target}",
            f"The cache mode {disk.cache or 'default'} may lose or mix up writes when the guest "
            "changes hosts.",
            "Set cache='none' for this disk; it takes effect at the guest's next start.",
            evidence=((context.source.name, f"cache {disk.cache or 'default'}"),),
            fix=set_cache_none(context, disk.target),
        )


def _cache_safe(context: PreflightContext, disk: DiskFacts) -> bool:
    return (
        disk.readonly
        or disk.shareable
        or bool(disk.network_source)
        or disk.cache in SAFE_CACHES
        or file_system_of(context, disk.source_path) in CLUSTER_FILE_SYSTEMS
    )
