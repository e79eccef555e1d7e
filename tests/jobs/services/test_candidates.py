"""All candidates of a guest from stored readings: what clashes is found, what cannot clash is not asked for."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.models import Contact, Guest, Host
from hosts.services import inventory, pairs
from jobs.options import MoveOptions
from jobs.services import preflight
from tests.jobs.builders import domain, guest, host_facts, nic, probe, reading
from tests.jobs.rows import make_move

pytestmark = pytest.mark.django_db


def make_host(name: str) -> Host:
    return Host.objects.create(
        name=name, address=f"qemu+tcp://{name}/system", contact=Contact.REACHABLE, read_at=timezone.now(),
        facts_data=to_data(host_facts(name)),
    )  # fmt: skip


def store(host: Host, name: str, mac: str = "52:54:00:00:00:01") -> Guest:
    facts = domain(name=name, domain_uuid=str(uuid.uuid4()), nics=(nic(mac=mac),))
    inventory._store_guests(host, (guest(facts),))
    return Guest.objects.get(host=host, name=name)


@pytest.fixture
def pair() -> tuple[Host, Host]:
    return make_host("mercury"), make_host("jupiter")


def ids(moving: Guest, destination: Host, options: MoveOptions | None = None) -> set[str]:
    pairs.store_pair(moving, destination, reading(), probe())
    return {
        finding.id for finding in preflight.evaluate(moving, destination, options or MoveOptions()).findings
    }


def test_taken_name_is_found_among_many(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    for number in range(20):
        store(jupiter, f"other{number}", mac=f"52:54:00:00:01:{number:02x}")
    assert "name.running-clash" not in ids(moving, jupiter)
    store(jupiter, "web01", mac="52:54:00:00:02:00")
    assert "name.running-clash" in ids(moving, jupiter)
    assert "name.running-clash" not in ids(moving, jupiter, MoveOptions(destination_name="web02"))


def test_new_name_that_is_taken_is_found(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    store(jupiter, "web02", mac="52:54:00:00:02:00")
    assert "name.running-clash" in ids(moving, jupiter, MoveOptions(destination_name="web02"))


def test_same_mac_is_found_whatever_its_case(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01", mac="52:54:00:aa:bb:cc")
    assert "network.mac-clash" not in ids(moving, jupiter)
    store(jupiter, "other", mac="52:54:00:AA:BB:CC")
    assert "network.mac-clash" in ids(moving, jupiter)


def test_blocked_candidates_come_last(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    saturn = make_host("saturn")
    moving = store(mercury, "web01")
    store(jupiter, "web01", mac="52:54:00:00:02:00")
    for host in (jupiter, saturn):
        pairs.store_pair(moving, host, reading(), probe())
    assert [candidate.host for candidate in preflight.list_candidates(moving, MoveOptions())] == [
        saturn,
        jupiter,
    ]


def test_memory_of_moves_on_their_way_counts(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving, other = store(mercury, "web01"), store(mercury, "db01", mac="52:54:00:00:03:00")
    assert preflight.planned_memory(jupiter, moving.domain_uuid) == 0
    make_move(mercury, jupiter, name=other.name, domain_uuid=other.domain_uuid)
    assert preflight.planned_memory(jupiter, moving.domain_uuid) == other.memory_bytes
