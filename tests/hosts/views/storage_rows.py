"""Pools with volumes, as a host would have told of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.facts.domain import DomainState, DomainStatus, GuestReading, parse_domain
from hosts.models import Guest, Host, PoolContents, Volume
from tests.hosts.views.conftest import DOMAIN, GIB, host_facts, make_guest, make_host, pool

NASTY = ("two words", "😀.qcow2", "<script>alert(1)</script>", "-rf", "a'b\"c&d", "..", "../../etc/passwd")


def host_with_pool(host_name: str = "mercury", pool_name: str = "VM", **changes: Any) -> Host:
    facts = host_facts((replace(pool(pool_name), **changes),))
    return make_host(host_name, facts_data=to_data(facts))


def contents_of(host: Host, pool_name: str = "VM", *names: str, **changes: Any) -> PoolContents:
    values = {
        "read_at": timezone.now(),
        "definition_xml": "<pool type='netfs'><name>VM</name></pool>",
    } | changes
    contents = PoolContents.objects.create(host=host, pool_name=pool_name, **values)
    for name in names:
        volume(contents, name)
    return contents


def volume(contents: PoolContents, name: str, **changes: Any) -> Volume:
    values: dict[str, Any] = {
        "path": f"/mnt/vm/{name}", "format": "qcow2", "capacity_bytes": 8 * GIB, "allocation_bytes": GIB,
    }  # fmt: skip
    return Volume.objects.create(contents=contents, name=name, **values | changes)


def guest_on(host: Host, path: str, name: str = "web01", state: str = "running") -> Guest:
    """A guest whose disk is that file."""
    guest = make_guest(host, name, state)
    xml = DOMAIN.format(name=escape(name), uuid=guest.domain_uuid).replace("/mnt/vm/web.qcow2", path)
    status = DomainStatus(DomainState(state), "booted", True)
    reading = GuestReading(str(guest.domain_uuid), name, status, parse_domain(xml), xml, "")
    guest.reading_data = to_data(reading)
    guest.save()
    return guest
