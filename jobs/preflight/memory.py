"""Huge pages and NUMA nodes of a host against what a guest wants of them. Pure. Sizes in bytes."""

from __future__ import annotations

from collections.abc import Collection

from hosts.facts.domain import DomainFacts
from hosts.facts.placement import FreePages, PageDemand, parse_set
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import HostSide
from jobs.preflight.findings import Commands
from jobs.preflight.registry import NotEvaluated
from jobs.preflight.say import require_read


def huge_bytes(facts: DomainFacts) -> int:
    """Of the guest's memory, what lies in huge pages."""
    return sum(demand.memory_bytes for demand in facts.huge_pages)


def strict_nodes(facts: DomainFacts) -> frozenset[int]:
    """The nodes outside which the guest gets no memory; empty: it may be anywhere."""
    sets = [parse_set(words) for mode, words in facts.memory_nodes if mode == "strict"]
    return frozenset().union(*sets)


def require_free_pages(side: HostSide) -> tuple[FreePages, ...]:
    free = require_read(side, "free pages").free_pages
    if free is None:
        raise NotEvaluated(f"which huge pages {side.name} has free", f"Refresh {side.name}.")
    return free


def best_huge_room(free: Collection[FreePages], page_bytes: int, nodes: frozenset[int]) -> int:
    """Free bytes in huge pages of this size (0: of the size with most) in these nodes (empty: in all)."""
    ordinary = min((pages.page_bytes for pages in free), default=0)
    room: dict[int, int] = {}
    for pages in free:
        if pages.page_bytes > ordinary and (not nodes or pages.cell in nodes):
            room[pages.page_bytes] = room.get(pages.page_bytes, 0) + pages.page_bytes * pages.count
    return room.get(page_bytes, 0) if page_bytes else max(room.values(), default=0)


def free_in(free: Collection[FreePages] | None, nodes: frozenset[int]) -> int | None:
    """Bytes in free ordinary pages of these nodes, without the page cache; None: not known."""
    if not free:
        return None
    ordinary = min(pages.page_bytes for pages in free)
    return sum(
        pages.page_bytes * pages.count
        for pages in free
        if pages.cell in nodes and pages.page_bytes == ordinary
    )


def more_huge_pages(side: HostSide, demand: PageDemand) -> tuple[Commands, ...]:
    """What is free, and how to set more aside until the next start of the host."""
    if not demand.page_bytes:
        return anywhere(side, "virsh freepages --all")
    count = -(-demand.memory_bytes // demand.page_bytes)
    line = f"virsh allocpages --pagesize {demand.page_bytes // 1024}KiB --pagecount {count} --add"
    return anywhere(side, "virsh freepages --all", line)
