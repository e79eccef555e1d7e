"""A running guest that takes its own disk along."""

from __future__ import annotations

import subprocess
import time

from benchmarks.overhead.__main__ import settle, sides
from benchmarks.storage.site import fill, forget, make_sparse, move
from tests.lab import Lab
from tests.product import Product


class LiveCopy:
    """The guest goes to and fro; its old disk is removed after each move, untimed."""

    def __init__(self, lab: Lab, product: Product, mib: int) -> None:
        self.lab, self.product = lab, product
        self.guest = lab.create_guest("mercury", "livedisk", pool="local", start=False, disk_mib=mib)
        self.path = str(self.guest.disk_path)
        make_sparse(lab, "mercury", self.path)
        fill(lab, "mercury", self.guest, 4, mib // 4)  # the guest writes its numbers before that
        lab.hosts["mercury"].virsh("start", self.guest.name, timeout=60)
        self.guest.wait_until_answering(timeout_s=90)

    def by_virsh(self) -> float:
        source, destination = sides(self.lab, self.guest)
        there = self.lab.hosts[destination]
        command = [
            "virsh", "-c", self.lab.hosts[source].uri("tcp"), "migrate", self.guest.name,
            f"qemu+tcp://{there.address}/system", "--live", "--p2p", "--persistent", "--undefinesource",
            "--copy-storage-all", "--migrateuri", f"tcp://{there.address}",
        ]  # fmt: skip
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        took_s = time.monotonic() - started
        self._settle(source, destination)
        return took_s

    def by_product(self) -> float:
        source, destination = sides(self.lab, self.guest)
        took_s = move(self.product, self.guest.name, source, destination, storage="copy-all")
        self._settle(source, destination)
        return took_s

    def remove(self) -> None:
        self.lab.remove_guest(self.guest)

    def _settle(self, source: str, destination: str) -> None:
        settle(self.guest, destination)
        forget(self.lab, source, self.path)
