"""Smaller things a host tells in one call each: pages that are free, secrets and filters it knows."""

from __future__ import annotations

from typing import Any, Final

import libvirt

from hosts.facts.host import SecretFacts
from hosts.facts.placement import FreePages, NumaCell

_USAGES: Final = {
    libvirt.VIR_SECRET_USAGE_TYPE_VOLUME: "volume",
    libvirt.VIR_SECRET_USAGE_TYPE_CEPH: "ceph",
    libvirt.VIR_SECRET_USAGE_TYPE_ISCSI: "iscsi",
    libvirt.VIR_SECRET_USAGE_TYPE_TLS: "tls",
    libvirt.VIR_SECRET_USAGE_TYPE_VTPM: "vtpm",
}


def read_free_pages(virt: Any, cells: tuple[NumaCell, ...]) -> tuple[FreePages, ...]:
    """Of every size in every NUMA node: one call for all nodes that have the same sizes, so mostly one."""
    found = []
    for sizes in dict.fromkeys(cell.page_bytes for cell in cells if cell.page_bytes):
        alike = [cell.cell for cell in cells if cell.page_bytes == sizes]
        first, count = min(alike), max(alike) - min(alike) + 1
        answer = virt.getFreePages([size // 1024 for size in sizes], first, count)
        found += [
            FreePages(int(cell), int(size) * 1024, int(free))
            for cell, pages in answer.items()
            if int(cell) in alike
            for size, free in pages.items()
        ]
    return tuple(found)


def read_secrets(virt: Any) -> tuple[SecretFacts, ...]:
    """One call; what a secret is for comes with it. Values are never asked for."""
    return tuple(
        SecretFacts(
            secret.UUIDString().lower(), _USAGES.get(secret.usageType(), "none"), secret.usageID() or ""
        )
        for secret in virt.listAllSecrets(0)
    )


def read_filters(virt: Any) -> tuple[str, ...]:
    """Names of the network filters, in one call."""
    return tuple(sorted(found.name() for found in virt.listAllNWFilters(0)))
