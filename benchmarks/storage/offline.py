"""A guest that is shut off: its disk from host to host, by virsh in a pipe and through the product."""

from __future__ import annotations

import shlex
import subprocess
import time

from benchmarks.storage.site import fill, forget, make_sparse, move, read_volumes
from tests.lab import Lab
from tests.product import Product
from tests.waiting import wait_until

HERE, THERE = "mercury", "jupiter"


class OfflineCopy:
    """The guest stays on mercury: after each move it is defined there again, untimed, and its copy removed."""

    def __init__(self, lab: Lab, product: Product, mib: int, disk_format: str, quarters: int) -> None:
        self.lab, self.product = lab, product
        name = f"off-{disk_format}-{quarters}"
        self.guest = lab.create_guest(
            HERE, name, pool="local", start=False, disk_mib=mib, disk_format=disk_format
        )
        self.path = str(self.guest.disk_path)
        if disk_format == "raw":
            make_sparse(lab, HERE, self.path)
        fill(lab, HERE, self.guest, 0, mib * quarters // 4)
        lab.hosts[HERE].virsh("pool-refresh", "local")
        self.xml = lab.hosts[HERE].virsh("dumpxml", name)
        self.size_bytes = lab.hosts[HERE].path(self.path).stat().st_size
        self.parts: dict[str, list[float]] = {"of that copying": [], "of that comparing": []}

    def by_virsh(self) -> float:
        started = time.monotonic()
        subprocess.run(["bash", "-o", "pipefail", "-c", self._pipe()], check=True, capture_output=True)
        took_s = time.monotonic() - started
        self._compare()
        return took_s

    def by_product(self) -> float:
        took_s = move(self.product, self.guest.name, HERE, THERE, kind="offline", storage="copy-all")
        (volume,) = read_volumes(self.product)
        self.parts["of that copying"].append(volume["copied_ms"] / 1000)
        self.parts["of that comparing"].append(volume["verified_ms"] / 1000)
        self._compare()
        self._come_back()
        return took_s

    def remove(self) -> None:
        self.lab.remove_guest(self.guest)

    def _pipe(self) -> str:
        """As a person would type it: the volume first, then its contents."""
        name = self.path.rpartition("/")[2]
        here, there = (
            shlex.join(["virsh", "-q", "-c", self.lab.hosts[host].uri("tcp")]) for host in (HERE, THERE)
        )
        made = f"{there} vol-create-as local {name} {self.size_bytes} --allocation 0 --format raw"
        read = f"{here} vol-download --pool local {name} /dev/stdout"
        return f"{made} && {read} | {there} vol-upload --pool local {name} /dev/stdin"

    def _compare(self) -> None:
        files = [str(self.lab.hosts[host].path(self.path)) for host in (HERE, THERE)]
        subprocess.run(["cmp", *files], check=True)
        forget(self.lab, THERE, self.path)

    def _come_back(self) -> None:
        name, here = self.guest.name, self.lab.hosts[HERE]
        self.lab.hosts[THERE].virsh("undefine", name)
        here.path("/run/again.xml").write_text(self.xml)
        here.virsh("define", "/run/again.xml")
        wait_until(lambda: self.guest.where() == {HERE: "shut off"}, 10, f"{name} is on {HERE} again")
