"""What both comparisons need: a disk with data, a move through the product, times from the product's own rows."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

from benchmarks.overhead.__main__ import find_end, find_rows, query
from tests.http_browser import HttpBrowser
from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.product import Product
from tests.waiting import wait_until

KNOWN_WITHIN_S = 90.0
LOGINS = """
import sys
from hosts.models import Host
for host in Host.objects.all():
    host.probe_address = f"ssh://root@{host.migration_address}"
    host.credentials = {**(host.credentials or {}), "probe_private_key": open(sys.argv[1]).read()}
    host.save()
"""
ENDS_WITHIN_S = 300.0
MIB = 2**20


def give_probe_logins(lab: Lab, product: Product) -> None:
    """The hosts then take the checksums of their files themselves."""
    product.run_python(LOGINS, str(lab.credentials.ssh_private_key_path))


def fill(lab: Lab, host: str, guest: LabGuest, from_mib: int, count_mib: int) -> None:
    """Write bytes that nothing makes smaller into a disk that nobody uses, through its format."""
    node, data = lab.hosts[host], "/run/bench.data"
    with node.path(data).open("wb") as file:
        for _ in range(count_mib):
            file.write(os.urandom(MIB))
    form, path = guest.spec.disk_format, str(guest.disk_path)
    if form == "raw":
        words = ["dd", f"if={data}", f"of={path}", "bs=1M", f"seek={from_mib}", "conv=notrunc", "status=none"]
        node.run(words, timeout=120)
    else:
        node.run(
            ["qemu-io", "-f", form, "-c", f"write -s {data} {from_mib}M {count_mib}M", path], timeout=120
        )
    node.path(data).unlink()


def make_sparse(lab: Lab, host: str, path: str) -> None:
    """virsh vol-create-as reserves the whole size."""
    lab.hosts[host].run(["sh", "-c", f"cp --sparse=always '{path}' '{path}.new' && mv '{path}.new' '{path}'"])


def move(product: Product, name: str, source: str, destination: str, **choices: str) -> float:
    """Ask over HTTP as a person does; seconds from the accepted request to the verified outcome."""
    guest_id, host_id = wait_until(
        lambda: find_rows(product, name, source, destination), KNOWN_WITHIN_S, f"{name} is known on {source}"
    )
    browser = HttpBrowser(product.url)
    browser.log_in(*next(iter(product.accounts.items())))
    browser.migrate(guest_id, host_id, "benchmark", **choices)
    asked, ended = wait_until(lambda: find_end(product), ENDS_WITHIN_S, "the move ends well")
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(asked)).total_seconds()


def read_volumes(product: Product) -> list[dict[str, Any]]:
    """Of the last move."""
    rows = query(product, "select volumes_data from jobs_migration order by id desc limit 1")
    volumes: list[dict[str, Any]] = json.loads(rows[0][0])
    return volumes


def forget(lab: Lab, host: str, path: str) -> None:
    """Remove a file, so that the next copy finds its place empty; what was written is on the disk by then."""
    lab.hosts[host].run(["sh", "-c", f"rm -f '{path}'; sync"], timeout=120)
    lab.hosts[host].virsh("pool-refresh", "local")
