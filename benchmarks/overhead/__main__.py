"""What the product adds to `virsh migrate`: python -m benchmarks.overhead [--pairs 10] [--output FILE]

In one run, alternating, on the same two hosts and the same guest: the wall time of `virsh migrate` (the process, from
start to exit) and of a move through the product (from the request's acceptance to the outcome that both hosts
confirmed, by the row's own times; queue, worker, preflight and verification included). Also the delay from the
moment libvirt's figures were read to the moment the browser has drawn them, and the memory of the processes at rest.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.http_browser import HttpBrowser
from tests.lab import Lab, LabGuest
from tests.product import Product
from tests.waiting import wait_until

SETTLE_S = 30.0


@dataclass(frozen=True)
class Series:
    """Seconds of either way, pair by pair."""

    name: str
    virsh_s: list[float]
    product_s: list[float]

    @property
    def ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(self.product_s, self.virsh_s, strict=True)]

    def lines(self) -> list[str]:
        return [
            f"{self.name}, {len(self.virsh_s)} pairs",
            f"  virsh migrate     {_spread(self.virsh_s)} s",
            f"  through product   {_spread(self.product_s)} s",
            f"  ratio, by pair    {_spread(self.ratios)}",
            f"  ratio of medians  {statistics.median(self.product_s) / statistics.median(self.virsh_s):.3f}",
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    lab = Lab.up(name=f"bench-{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory() as folder, Product.running(Path(folder)) as product:
            product.connect_lab(lab, transport="tcp")
            text = "\n".join(measure(lab, product, arguments.pairs))
    finally:
        lab.down()
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    return 0


def measure(lab: Lab, product: Product, pairs: int) -> list[str]:
    lines = [*machine_lines(), ""]
    lines += [*memory_lines(product), ""]
    idle = lab.create_guest("mercury", "idle", memory_mib=256)
    lines += [*compare("idle guest, 256 MiB", lab, product, idle, pairs).lines(), ""]
    from benchmarks.overhead.delay import delay_lines  # Playwright only when it is needed

    lines += [*delay_lines(lab, product, idle), ""]
    lab.remove_guest(idle)
    busy = lab.create_guest("mercury", "busy", memory_mib=256, dirty_mib_per_s=24)
    lines += compare("busy guest, 256 MiB, rewriting 24 MiB/s", lab, product, busy, pairs).lines()
    return lines


def compare(name: str, lab: Lab, product: Product, guest: LabGuest, pairs: int) -> Series:
    """One uncounted pair first; then virsh and the product take turns at going first."""
    guest.wait_until_answering(timeout_s=90)
    ways: tuple[Callable[[], float], ...] = (
        lambda: by_virsh(lab, guest),
        lambda: by_product(lab, product, guest),
    )
    for way in ways:
        way()
    virsh_s: list[float] = []
    product_s: list[float] = []
    for number in range(pairs):
        for index in (0, 1) if number % 2 == 0 else (1, 0):
            (virsh_s, product_s)[index].append(ways[index]())
        print(
            f"  {name}: pair {number + 1}: virsh {virsh_s[-1]:.3f} s, product {product_s[-1]:.3f} s",
            file=sys.stderr,
        )
    return Series(name, virsh_s, product_s)


def by_virsh(lab: Lab, guest: LabGuest) -> float:
    """Seconds of the `virsh migrate` process."""
    source, destination = sides(lab, guest)
    there = lab.hosts[destination]
    command = [
        "virsh", "-c", lab.hosts[source].uri("tcp"), "migrate", guest.name, f"qemu+tcp://{there.address}/system",
        "--live", "--p2p", "--persistent", "--undefinesource", "--migrateuri", f"tcp://{there.address}",
    ]  # fmt: skip
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    took_s = time.monotonic() - started
    settle(guest, destination)
    return took_s


def by_product(lab: Lab, product: Product, guest: LabGuest) -> float:
    """Seconds from the accepted request to the verified outcome, asked for over HTTP as a person does."""
    source, destination = sides(lab, guest)
    guest_id, host_id = wait_until(
        lambda: find_rows(product, guest.name, source, destination), SETTLE_S, "it is known"
    )
    browser = HttpBrowser(product.url)
    browser.log_in(*next(iter(product.accounts.items())))
    browser.migrate(guest_id, host_id, "benchmark")
    asked, ended = wait_until(lambda: find_end(product), SETTLE_S, "the move ends well")
    settle(guest, destination)
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(asked)).total_seconds()


# Read from the file: a process that starts Django meanwhile would take a core away from the guest that is moving.
def find_rows(product: Product, name: str, source: str, destination: str) -> tuple[int, int] | None:
    guest = (
        "select g.id from hosts_guest g join hosts_host h on h.id = g.host_id "
        "where g.name = ? and h.name = ? and g.gone_at is null"
    )
    guests = query(product, guest, name, source)
    hosts = query(product, "select id from hosts_host where name = ?", destination)
    return (guests[0][0], hosts[0][0]) if guests and hosts else None


def find_end(product: Product) -> tuple[str, str] | None:
    rows = query(
        product,
        "select requested_at, ended_at, phase, error_text from jobs_migration order by id desc limit 1",
    )
    asked, ended, phase, error = rows[0]
    if phase in ("failed", "cancelled"):
        raise RuntimeError(f"the move {phase}: {error}")
    return (asked, ended) if phase == "succeeded" else None


def query(product: Product, text: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{product.state_dir}/database.sqlite3?mode=ro", uri=True)) as database:
        return database.execute(text, values).fetchall()


def sides(lab: Lab, guest: LabGuest) -> tuple[str, str]:
    source = next(name for name, state in guest.where().items() if state == "running")
    return source, next(name for name in lab.hosts if name != source)


def settle(guest: LabGuest, destination: str) -> None:
    wait_until(lambda: guest.where() == {destination: "running"}, SETTLE_S, "the guest is where it was sent")
    guest.wait_until_answering(timeout_s=SETTLE_S)


def memory_lines(product: Product) -> list[str]:
    """Proportional set size: shared pages are counted once."""
    lines = ["memory at rest (proportional set size of the process with its children)"]
    for role, pid in product.pids().items():
        size = sum(_pss_bytes(one) for one in [pid, *_children(pid)])
        lines.append(f"  {role:<10} {size / 2**20:6.0f} MiB")
    return lines


def machine_lines() -> list[str]:
    load = os.getloadavg()[0]
    return [f"{os.cpu_count()} processors, load {load:.1f} at the start, guests emulated (TCG)"]


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _children(pid: int) -> list[int]:
    own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return own + [grandchild for child in own for grandchild in _children(child)]


def _spread(values: list[float]) -> str:
    return f"min {min(values):.3f}  median {statistics.median(values):.3f}  max {max(values):.3f}"


if __name__ == "__main__":
    sys.exit(main())
