"""What tests of the driver share: real descriptions, and connection specs for the lab's hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hosts.driver.connection import Connection, open_connection
from hosts.ports import ConnectionSpec
from hosts.storage_ports import StoragePort
from tests.hosts.storage_lab import IMAGES, bring_up
from tests.lab import Lab
from tests.lab.host import LabHost

DATA = Path(__file__).parents[1] / "data" / "hosts"

SpecFor = Callable[..., ConnectionSpec]


@pytest.fixture
def real() -> Callable[[str], str]:
    """The text of a file that a real host wrote."""
    return lambda name: (DATA / name).read_text(encoding="utf-8")


@pytest.fixture
def spec_for(lab: Lab) -> SpecFor:
    """A spec with all the lab's credentials: spec_for("mercury", "ssh", sasl_password="wrong")."""
    keys = lab.credentials

    def make(host: str, transport: str = "tcp", **changes: Any) -> ConnectionSpec:
        user = "root@" if "ssh" in transport else ""
        spec = ConnectionSpec(
            name=host,
            address=f"qemu+{transport}://{user}{lab.hosts[host].address}/system",
            ssh_private_key=keys.ssh_private_key_path.read_text(),
            known_hosts=keys.known_hosts_path.read_text(),
            sasl_username=keys.sasl_user,
            sasl_password=keys.sasl_password,
            tls_ca=(keys.tls_dir / "cacert.pem").read_text(),
            tls_certificate=(keys.tls_dir / "clientcert.pem").read_text(),
            tls_key=(keys.tls_dir / "clientkey.pem").read_text(),
        )
        return replace(spec, **changes)

    return make


@pytest.fixture
def connect(spec_for: SpecFor) -> Iterator[Callable[..., Connection]]:
    """Open connections that are closed after the test."""
    opened: list[Connection] = []

    def make(host: str, transport: str = "tcp") -> Connection:
        opened.append(open_connection(spec_for(host, transport)))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def mercury(clean_lab: Lab) -> LabHost:
    return clean_lab.hosts["mercury"]


@pytest.fixture
def storage(mercury: LabHost, connect: Callable[..., Connection]) -> StoragePort:
    return connect("mercury").storage


@pytest.fixture
def full_pool(storage: StoragePort, mercury: LabHost) -> Iterator[str]:
    """A pool with room for 8 MiB."""
    mercury.run(["mkdir", "-p", f"{IMAGES}/small"])
    mercury.run(["mount", "-t", "tmpfs", "-o", "size=8m", "small", f"{IMAGES}/small"])
    bring_up(storage, "small")
    yield "small"
    mercury.virsh("pool-destroy", "small", check=False)
    mercury.run(["umount", "-l", f"{IMAGES}/small"], check=False)
    mercury.run(["rm", "-rf", f"{IMAGES}/small"])
