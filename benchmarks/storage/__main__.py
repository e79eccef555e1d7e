"""What the product adds to a copy of disks: python -m benchmarks.storage [--pairs 5] [--mib 256] [--output FILE]

In one run, alternating, between the same two hosts:
- a running guest with a disk of its own: `virsh migrate --copy-storage-all` against a move through the product;
- a guest that is shut off: `virsh vol-download | virsh vol-upload` (the volume made first) against a move through the
  product, which also keeps holes, compares the copy by its checksum, and moves the definition.
The product's time is from the accepted request to the outcome that both hosts confirmed, by the row's own times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.overhead.__main__ import machine_lines
from benchmarks.storage.live import LiveCopy
from benchmarks.storage.offline import OfflineCopy
from benchmarks.storage.site import give_probe_logins
from tests.lab import Lab
from tests.product import Product


@dataclass
class Comparison:
    """Seconds of either way, pair by pair. `parts`: of the product's time, by name."""

    name: str
    theirs: str
    theirs_s: list[float] = field(default_factory=list)
    ours_s: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        ratios = [ours / theirs for ours, theirs in zip(self.ours_s, self.theirs_s, strict=True)]
        yield f"{self.name}, {len(self.ours_s)} pairs"
        yield f"  {self.theirs:<34} {_spread(self.theirs_s)} s"
        yield f"  {'through the product':<34} {_spread(self.ours_s)} s"
        for part, seconds in self.parts.items():
            yield f"    {part:<32} {_spread(seconds)} s"
        yield f"  {'ratio, by pair':<34} {_spread(ratios)}"
        for part, seconds in self.parts.items():
            if part.startswith("of that"):
                yield f"    {part + ', as a ratio':<32} {_ratio(seconds, self.theirs_s)}"
        yield f"  {'ratio of medians':<34} {_ratio(self.ours_s, self.theirs_s)}"
        yield ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--mib", type=int, default=256, help="size of the disks in MiB")
    parser.add_argument("--no-probe-login", action="store_true", help="copies are read back through libvirt")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    lab = Lab.up(name=f"bench-{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory() as folder, Product.running(Path(folder)) as product:
            product.connect_lab(lab, transport="tcp")
            if not arguments.no_probe_login:
                give_probe_logins(lab, product)
            text = "\n".join(measure(lab, product, arguments.pairs, arguments.mib))
    finally:
        lab.down()
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    return 0


def measure(lab: Lab, product: Product, pairs: int, mib: int) -> list[str]:
    lines = [*machine_lines(), ""]
    live = LiveCopy(lab, product, mib)
    name = f"running guest, {mib} MiB raw disk, a quarter of it written"
    comparison = Comparison(name, "virsh migrate --copy-storage-all")
    compare(comparison, pairs, live.by_virsh, live.by_product)
    lines += comparison.lines()
    live.remove()
    for disk_format, quarters in (("raw", 1), ("qcow2", 1), ("raw", 4)):
        name = f"guest shut off, {mib} MiB {disk_format} disk, {quarters * 25} % of it written"
        offline = OfflineCopy(lab, product, mib, disk_format, quarters)
        comparison = Comparison(name, "virsh vol-download | vol-upload")
        comparison.parts = offline.parts
        compare(comparison, pairs, offline.by_virsh, offline.by_product)
        lines += comparison.lines()
        offline.remove()
    return lines


def compare(
    comparison: Comparison, pairs: int, by_virsh: Callable[[], float], by_product: Callable[[], float]
) -> None:
    """One uncounted pair first; then virsh and the product take turns at going first."""
    ways = (by_virsh, by_product)
    for way in ways:
        way()
    for seconds in comparison.parts.values():
        seconds.clear()
    for number in range(pairs):
        for index in (0, 1) if number % 2 == 0 else (1, 0):
            (comparison.theirs_s, comparison.ours_s)[index].append(ways[index]())
        virsh_s, product_s = comparison.theirs_s[-1], comparison.ours_s[-1]
        words = f"{comparison.name}: pair {number + 1}: virsh {virsh_s:.3f} s, product {product_s:.3f} s"
        print(f"  {words}", file=sys.stderr)


def _spread(values: list[float]) -> str:
    return f"min {min(values):.3f}  median {statistics.median(values):.3f}  max {max(values):.3f}"


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.3f}"


if __name__ == "__main__":
    sys.exit(main())
