"""Rows as an inventory would have stored them, and a browser's two ways to ask."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.facts.domain import DomainState, DomainStatus, GuestReading, parse_domain
from hosts.facts.host import HostCpu, HostFacts
from hosts.facts.storage import PoolFacts
from hosts.models import Contact, Guest, Host

GIB = 1024**3
DOMAIN = """<domain type='kvm'><name>{name}</name><uuid>{uuid}</uuid><memory unit='GiB'>4</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices><disk type='file' device='disk'>
<driver name='qemu' type='qcow2' cache='none'/><source file='/mnt/vm/web.qcow2'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lan'/><model type='virtio'/></interface>
</devices></domain>"""


def pool(name: str = "VM", source: str = "netfs nfs 10.0.0.5:/srv/vm", kind: str = "netfs") -> PoolFacts:
    return PoolFacts(
        name, str(uuid.uuid4()), kind, True, True, True, 100 * GIB, 40 * GIB, 60 * GIB, "/mnt/vm", source
    )


def host_facts(pools: tuple[PoolFacts, ...] = ()) -> HostFacts:
    return HostFacts(
        host_uuid=str(uuid.uuid4()), hostname="mercury", hypervisor="QEMU", hypervisor_version=7_002_000,
        library_version=9_000_000, cpu=HostCpu("x86_64", "EPYC-Rome", "AMD", "0x1"), cpus=8, memory_bytes=64 * GIB,
        memory_free_bytes=32 * GIB, qemu_uid=64055, qemu_gid=64055, security_models=("dac",), guests_supported=(),
        migration_live=True, migration_transports=("tcp",), pools=pools or (pool(),),
    )  # fmt: skip


def make_host(name: str = "mercury", **changes: Any) -> Host:
    values: dict[str, Any] = {
        "address": f"qemu+ssh://root@{name}/system", "contact": Contact.REACHABLE, "read_at": timezone.now(),
        "facts_data": to_data(host_facts()),
    }  # fmt: skip
    return Host.objects.create(name=name, **values | changes)


def make_guest(host: Host, name: str = "web01", state: str = "running", **changes: Any) -> Guest:
    domain_uuid = changes.pop("domain_uuid", None) or uuid.uuid4()
    facts = parse_domain(DOMAIN.format(name="web01", uuid=domain_uuid))
    status = DomainStatus(DomainState(state), "booted", True)
    reading = GuestReading(
        str(domain_uuid), name, status, facts, DOMAIN.format(name="web01", uuid=domain_uuid), ""
    )
    values: dict[str, Any] = {
        "state_reason": "booted", "persistent": True, "memory_bytes": 4 * GIB, "vcpus": 2,
        "reading_data": to_data(reading), "read_at": timezone.now(),
    }  # fmt: skip
    return Guest.objects.create(
        host=host, name=name, state=state, domain_uuid=domain_uuid, **values | changes
    )


@pytest.fixture
def host(db: None) -> Host:
    return make_host()


@pytest.fixture
def guest(host: Host) -> Guest:
    return make_guest(host)


@pytest.fixture
def person(client: Any, django_user_model: Any) -> Any:
    """A logged-in browser."""
    client.force_login(django_user_model.objects.create_user("anna", password="anna-anna-1"))
    return client


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Nobody answers the bell; what it was rung for."""
    rung: list[Any] = []

    class Bell:
        def send_task(self, task: str, args: Any = (), queue: str = "") -> None:
            rung.append((task, args, queue))

    monkeypatch.setattr("hosts.services.bells.current_app", Bell())
    return rung
