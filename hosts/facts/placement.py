"""Where on a host a guest wants to be: huge pages, pinned processors, NUMA nodes. Pure. Sizes in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hosts.facts.xml import attribute_of, bytes_of, parse_count, unit_bytes

# Linux builds with at most 8192 processors; a set with more is not one to be expanded.
MAX_CPU: Final = 16_384


@dataclass(frozen=True, slots=True)
class PageDemand:
    """Memory of a guest in huge pages of one size."""

    page_bytes: int  # 0: the host's default
    memory_bytes: int


def parse_huge_pages(root: etree._Element, memory_bytes: int) -> Iterator[PageDemand]:
    """What a <domain> wants in huge pages. A <page> with a nodeset is for those NUMA cells of the guest, the one
    without for the rest."""
    if root.find("memoryBacking/hugepages") is None:
        return
    cells = {
        parse_count(str(cell.get("id") or ""), "NUMA cell", default=place): _cell_bytes(cell)
        for place, cell in enumerate(root.iterfind("cpu/numa/cell"))
    }
    left, rest = memory_bytes, 0
    for page in root.iterfind("memoryBacking/hugepages/page"):
        size = parse_count(str(page.get("size") or ""), "huge page") * unit_bytes(
            str(page.get("unit") or "KiB")
        )
        if not page.get("nodeset"):
            rest = size
            continue
        named = sum(cells.get(cell, 0) for cell in parse_set(str(page.get("nodeset"))))
        left -= named
        yield PageDemand(size, named)
    if left > 0:
        yield PageDemand(rest, left)


def _cell_bytes(cell: etree._Element) -> int:
    return parse_count(str(cell.get("memory") or ""), "memory") * unit_bytes(str(cell.get("unit") or "KiB"))


def parse_cpu_pins(root: etree._Element) -> Iterator[tuple[str, str]]:
    """(what is pinned, to which processors of the host)."""
    pools = (
        ("all virtual CPUs", root.iterfind("vcpu")),
        ("the emulator", root.iterfind("cputune/emulatorpin")),
        ("virtual CPU {vcpu}", root.iterfind("cputune/vcpupin")),
        ("I/O thread {iothread}", root.iterfind("cputune/iothreadpin")),
    )
    for words, items in pools:
        for item in items:
            if item.get("cpuset"):
                attributes = {"vcpu": item.get("vcpu"), "iothread": item.get("iothread")}
                yield words.format(**attributes), str(item.get("cpuset"))


def parse_memory_nodes(root: etree._Element) -> Iterator[tuple[str, str]]:
    """(mode, nodeset of the host); the mode says whether memory may lie elsewhere: strict means it may not."""
    for path in ("numatune/memory", "numatune/memnode"):
        for item in root.iterfind(path):
            if item.get("nodeset"):
                yield str(item.get("mode") or "strict"), str(item.get("nodeset"))


def parse_set(text: str) -> frozenset[int]:
    """libvirt's sets: "0-3,^2,8" → {0, 1, 3, 8}. Raises ValueError."""
    wanted: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        taken = part.startswith("^")
        first, separator, last = part.removeprefix("^").partition("-")
        if not first or (separator and not last):
            raise ValueError(f"The set {text[:40]!r} has a range without an end.")
        start, end = parse_count(first, "set"), parse_count(last or first, "set")
        if end > MAX_CPU:
            raise ValueError(f"The set {text[:40]!r} goes beyond {MAX_CPU}.")
        numbers = set(range(start, end + 1))
        wanted = wanted - numbers if taken else wanted | numbers
    return frozenset(wanted)


@dataclass(frozen=True, slots=True)
class NumaCell:
    """One NUMA node of a host. `page_bytes`: sizes of the pages it has, the ordinary one first."""

    cell: int
    memory_bytes: int
    cpus: tuple[int, ...]
    page_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FreePages:
    """Pages of one size that are free in one NUMA node."""

    cell: int
    page_bytes: int
    count: int


def parse_cells(root: etree._Element) -> Iterator[NumaCell]:
    """The NUMA nodes in the <capabilities> of a host; every host has one at least."""
    for item in root.iterfind("host/topology/cells/cell"):
        yield NumaCell(
            cell=parse_count(str(item.get("id") or ""), "NUMA cell"),
            memory_bytes=bytes_of(item, "memory", default_unit="KiB"),
            cpus=tuple(parse_count(str(cpu.get("id") or ""), "CPU") for cpu in item.iterfind("cpus/cpu")),
            page_bytes=tuple(
                parse_count(str(page.get("size") or ""), "page size")
                * unit_bytes(str(page.get("unit") or "KiB"))
                for page in item.iterfind("pages")
            ),
        )


def parse_tsc(root: etree._Element) -> tuple[int | None, bool | None]:
    """Frequency in Hz of the host's time stamp counter, and whether it can be scaled for a guest; None: not told."""
    counter = "host/cpu/counter[@name='tsc']"
    frequency, scaling = attribute_of(root, counter, "frequency"), attribute_of(root, counter, "scaling")
    return parse_count(frequency, "TSC frequency") or None, scaling == "yes" if scaling else None
