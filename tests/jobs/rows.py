"""Rows as the workers write them, for tests of pages and of the live connection."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from django.contrib.auth.models import User
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.facts.domain import DomainState, DomainStatus, GuestReading, parse_domain
from hosts.facts.host import HostCpu, HostFacts
from hosts.models import Contact, Guest, Host
from jobs.engine.phases import Phase
from jobs.models import Migration, Transition
from jobs.options import MoveOptions, dump_options

# A name that would do harm if any page wrote it unescaped.
HOSTILE = "<img src=x onerror=alert(1)>"

DOMAIN_XML = """<domain type='qemu'><name>{name}</name><uuid>{domain_uuid}</uuid>
<memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices/></domain>"""


def make_person(name: str = "anna") -> User:
    return User.objects.create_user(name, password=name)


def make_host(name: str = "mercury", *, contact: Contact = Contact.REACHABLE) -> Host:
    facts = HostFacts(
        host_uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
        hostname=name,
        hypervisor="QEMU",
        hypervisor_version=7_002_000,
        library_version=9_000_000,
        cpu=HostCpu("x86_64", "qemu64", "AMD", ""),
        cpus=4,
        memory_bytes=8 * 2**30,
        memory_free_bytes=6 * 2**30,
        qemu_uid=0,
        qemu_gid=0,
        security_models=("none",),
        guests_supported=(),
        migration_live=True,
        migration_transports=("tcp",),
    )
    return Host.objects.create(
        name=name,
        address=f"qemu+ssh://root@{name}/system",
        contact=contact,
        facts_data=to_data(facts),
        read_at=timezone.now(),
        tried_at=timezone.now(),
    )


def make_guest(host: Host, name: str = "web01", state: DomainState = DomainState.RUNNING) -> Guest:
    domain_uuid = uuid.uuid4()
    facts = parse_domain(DOMAIN_XML.format(name=escape(name), domain_uuid=domain_uuid))
    reading = GuestReading(str(domain_uuid), name, DomainStatus(state, "booted", True), facts, "", "")
    return Guest.objects.create(
        host=host,
        domain_uuid=domain_uuid,
        name=name,
        state=state,
        state_reason="booted",
        persistent=True,
        memory_bytes=2**28,
        vcpus=1,
        reading_data=to_data(reading),
        read_at=timezone.now(),
    )


def make_move(
    source: Host, destination: Host, name: str = "web01", phase: Phase = Phase.QUEUED, **fields: Any
) -> Migration:
    asked_at: datetime = fields.pop("requested_at", timezone.now())
    if phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED):
        fields.setdefault("ended_at", asked_at + timedelta(seconds=4))
    move = Migration.objects.create(
        domain_uuid=fields.pop("domain_uuid", uuid.uuid4()),
        guest_name=name,
        source=source,
        destination=destination,
        source_name=source.name,
        destination_name=destination.name,
        kind=fields.pop("kind", "live"),
        phase=phase,
        requested_by_name=fields.pop("requested_by_name", "anna"),
        requested_at=asked_at,
        options_data=fields.pop("options_data", dump_options(MoveOptions())),
        **fields,
    )
    Transition.objects.create(
        migration=move, old="", new=phase, at=asked_at, sentence=f"anna asked to move {name}."
    )
    return move
