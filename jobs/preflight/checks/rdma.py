"""What a move over RDMA needs besides its address."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import sent_root
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, guest, sends_memory


@check(
    "kind.rdma",
    title="A move over RDMA has a limit for the memory it locks",
    source="libvirt: qemuMigrationSrcPerformNative, “cannot start RDMA migration with no memory hard limit set”",
    waivable=False,
)
def check_rdma(context: PreflightContext) -> Iterator[Said]:
    limit = sent_root(context).findtext("memtune/hard_limit") or ""
    if context.options.migrate_uri.startswith("rdma:") and sends_memory(context) and not limit.strip():
        name = shlex.quote(context.guest.name)
        yield blocker(
            guest(context),
            "A move over RDMA locks all of the guest's memory, and the guest has no hard limit; libvirt refuses.",
            "Set one somewhat above the guest's memory, or move over TCP.",
            evidence=((context.source.name, "no <memtune><hard_limit>"),),
            commands=anywhere(context.source, f"virsh memtune {name} --live --config --hard-limit KIB"),
        )
