"""Several processes read one host at the same time: the answer to the later question stays."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.facts.domain import GuestReading
from hosts.models import Guest, Host
from hosts.services import inventory
from tests.jobs.builders import domain, guest, host_facts

pytestmark = pytest.mark.django_db
ASKED = timezone.now()
LATER = ASKED + timedelta(seconds=1)


@pytest.fixture
def host() -> Host:
    return Host.objects.create(name="mercury", address="qemu+tcp://mercury/system")


@pytest.fixture
def running() -> GuestReading:
    return guest(domain(name="web01", domain_uuid=str(uuid.uuid4())))


def record(host: Host, readings: tuple[GuestReading, ...], asked_at) -> None:
    inventory.record_reading(host, host_facts("mercury"), readings, asked_at)


def test_slow_reading_does_not_remove_a_guest_found_meanwhile(host, running):
    record(host, (running,), LATER)
    record(host, (), ASKED)
    assert Guest.objects.get().gone_at is None


def test_slow_reading_does_not_bring_back_a_guest_that_went(host, running):
    record(host, (running,), ASKED - timedelta(seconds=1))
    record(host, (), LATER)
    record(host, (running,), ASKED)
    assert Guest.objects.get().gone_at == LATER


def test_later_reading_brings_a_guest_back(host, running):
    record(host, (running,), ASKED - timedelta(seconds=1))
    record(host, (), ASKED)
    record(host, (running,), LATER)
    kept = Guest.objects.get()
    assert (kept.gone_at, kept.read_at) == (None, LATER)
