"""What real hosts tell of their pages and secrets, and of how busy a guest is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hosts.driver.connection import Connection
from hosts.facts.host import SecretFacts
from tests.lab import Lab
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

Connect = Callable[..., Connection]
UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
SECRET = f"""<secret ephemeral='no' private='yes'><uuid>{UUID}</uuid>
  <usage type='ceph'><name>client.vms secret</name></usage></secret>"""


def test_free_pages_of_every_size_are_read(lab: Lab, connect: Connect) -> None:
    facts = connect("mercury").read_facts()
    assert facts.free_pages is not None
    assert {pages.page_bytes for pages in facts.free_pages} == {
        size for cell in facts.cells for size in cell.page_bytes
    }
    ordinary = min(facts.free_pages, key=lambda pages: pages.page_bytes)
    assert 0 < ordinary.count * ordinary.page_bytes < facts.memory_bytes


def test_secrets_are_read_without_their_values(lab: Lab, connect: Connect) -> None:
    mercury = lab.hosts["mercury"]
    mercury.path("/run/secret.xml").write_text(SECRET)
    mercury.virsh("secret-define /run/secret.xml")
    try:
        assert connect("mercury").read_facts().secrets == (SecretFacts(UUID, "ceph", "client.vms secret"),)
    finally:
        mercury.virsh(f"secret-undefine {UUID}")
    assert connect("mercury").read_facts().secrets == ()


def test_busy_guest_is_measured_without_waiting(clean_lab: Lab, connect: Connect) -> None:
    guest = clean_lab.create_guest("mercury", "busy", dirty_mib=16, dirty_mib_per_s=200)
    guest.wait_until_answering()
    connection = connect("mercury")

    def rate() -> str:
        reading = connection.find_guest_reading(guest.uuid)
        assert reading is not None
        return reading.extra.get("dirty_rate_mib_per_s", "")

    assert rate() == ""
    port = connection.find_guest(guest.uuid)
    assert port is not None
    assert port.measure_dirty_rate()
    wait_until(lambda: rate().isdigit(), 20, "the guest is measured")


def test_guest_that_does_not_run_is_not_measured(clean_lab: Lab, connect: Connect) -> None:
    guest = clean_lab.create_guest("mercury", "off", start=False, pool=None)
    connection = connect("mercury")
    port = connection.find_guest(guest.uuid)
    assert port is not None
    assert not port.measure_dirty_rate()
    reading = connection.find_guest_reading(guest.uuid)
    assert reading is not None
    assert "dirty_rate_mib_per_s" not in reading.extra
