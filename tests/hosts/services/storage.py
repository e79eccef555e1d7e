"""What the tests of storage operations share: templates, orders that a worker does at once, the host's own word."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.facts.domain import DomainState, DomainStatus, GuestReading, parse_domain
from hosts.facts.host import HostCpu, HostFacts
from hosts.facts.storage import PoolFacts, VolumeFacts
from hosts.models import Guest, Host, PoolTemplate, StorageOperation, StorageRun, TemplatePlacement
from hosts.services import storage_work, templates
from hosts.services.contents import store_contents
from hosts.services.storage_orders import OperationKind, order
from hosts.storage_ports import PoolReading
from tests.jobs.console import Console

FOLDER = "/var/lib/libvirt/{name}"
MIB = 1024**2
NO_CPU = HostCpu("x86_64", "qemu64", "QEMU", "")
DOMAIN = """<domain type='kvm'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>1</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices>{disks}</devices></domain>"""
DIR_XML = """<pool type='dir'><name>{name}</name><target><path>{path}</path>
<permissions><mode>0711</mode></permissions></target></pool>"""


def make_template(
    name: str, *hosts: Host, xml: str = "", autostart: bool = True, **more: Any
) -> PoolTemplate:
    text = xml or DIR_XML.format(name=name, path=FOLDER.format(name=name))
    template = PoolTemplate.objects.create(name=name, xml=text, autostart=autostart, **more)
    for host in hosts:
        TemplatePlacement.objects.create(template=template, host=host)
    return template


def work(run: StorageRun) -> dict[str, StorageOperation]:
    """Let a worker do every order of a run; host → how its newest ended."""
    for operation in run.operations.filter(ended_at=None):
        storage_work.run(operation.pk)
    return {row.host.name: row for row in run.operations.select_related("host").order_by("pk")}


def apply(
    template: PoolTemplate, *hosts: Host, dry: bool = False, confirmed: dict[int, str] | None = None
) -> dict[str, StorageOperation]:
    return work(templates.apply(Console.person("anna"), template, hosts, dry=dry, confirmed=confirmed))


def do(
    host: Host, kind: OperationKind, pool: str, volume: str = "", confirmed: str = "", **arguments: Any
) -> StorageOperation:
    """Order it and let a worker do it."""
    host.refresh_from_db()
    operation = order(Console.person("anna"), host, kind, pool, volume, arguments, confirmed=confirmed)
    storage_work.run(operation.pk)
    operation.refresh_from_db()
    return operation


def states(operation: StorageOperation) -> dict[str, str]:
    return {row["step"]: row["state"] for row in operation.steps_data}


def make_pool(name: str, path: str = "/pool", type: str = "dir", **more: Any) -> PoolFacts:  # noqa: A002
    facts: dict[str, Any] = {
        "pool_uuid": "", "active": True, "persistent": True, "autostart": True, "capacity_bytes": 100,
        "allocation_bytes": 10, "available_bytes": 90, "source": f"{type} {path}",
    } | more  # fmt: skip
    return PoolFacts(name=name, type=type, target_path=path, **facts)


def make_host(name: str, *pools: PoolFacts, **more: Any) -> Host:
    """A host as if it had been read."""
    facts = HostFacts(
        host_uuid=name, hostname=f"{name}.example", hypervisor="QEMU", hypervisor_version=7_002_000,
        library_version=9_000_000, cpu=NO_CPU, cpus=2, memory_bytes=2**30, memory_free_bytes=None, qemu_uid=None,
        qemu_gid=None, security_models=(), guests_supported=(), migration_live=True, migration_transports=(),
        pools=pools,
    )  # fmt: skip
    return Host.objects.create(
        name=name,
        address=f"qemu+ssh://root@{name}/system",
        facts_data=to_data(facts),
        read_at=timezone.now(),
        **more,
    )


def store(host: Host, pool: PoolFacts, *volumes: VolumeFacts, definition_xml: str = "<pool/>") -> None:
    """As if its volumes had been read just now."""
    reading = PoolReading(pool, definition_xml, definition_xml)
    store_contents(host, pool.name, reading, volumes, timezone.now())


def make_volume(name: str, pool: str = "VM", path: str = "", **more: Any) -> VolumeFacts:
    values: dict[str, Any] = {"format": "qcow2", "capacity_bytes": 8 * MIB, "allocation_bytes": MIB} | more
    return VolumeFacts(path=path or f"/pool/{name}", pool=pool, name=name, **values)


def make_guest(host: Host, name: str, *disks: str, state: str = "running") -> Guest:
    """`disks`: XML of <disk> elements, or paths."""
    domain_uuid = str(uuid.uuid4())
    xml = DOMAIN.format(name=name, uuid=domain_uuid, disks="".join(map(_disk, disks, "abcdefgh")))
    status = DomainStatus(DomainState(state), "booted", True)
    reading = GuestReading(domain_uuid, name, status, parse_domain(xml), xml, "")
    return Guest.objects.create(
        host=host, name=name, state=state, domain_uuid=domain_uuid, persistent=True, memory_bytes=MIB, vcpus=1,
        reading_data=to_data(reading), read_at=timezone.now(),
    )  # fmt: skip


def _disk(text: str, letter: str) -> str:
    if text.startswith("<"):
        return text
    return f"<disk type='file'><source file='{text}'/><target dev='vd{letter}'/></disk>"
