"""A waiver at run time: refused, waived, really moved, and told in the record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from hosts.models import Host
from jobs.engine.phases import Phase
from jobs.models import Waiver
from jobs.options import MoveOptions
from jobs.services import execution, preflight, waivers
from jobs.services.requests import MoveRefused
from jobs.services.waivers import Place
from tests.jobs.console import Console
from tests.jobs.views.test_remedies import actions
from tests.lab.guest import LabGuest

pytestmark = pytest.mark.lab

CHECK = "network.migration-ports"
PORTS = (49300, 49310)


@pytest.fixture
def guest(console: Console) -> Iterator[LabGuest]:
    """On its way to a host whose ports, as this console was told them, are closed; libvirt there uses others."""
    lab = console.lab
    for name, host in lab.hosts.items():
        console.set_host(name, address=f"qemu+ssh://root@{host.address}/system")
    console.set_host("jupiter", migration_port_first=PORTS[0], migration_port_last=PORTS[1])
    lab.hosts["jupiter"].block_ports(*PORTS, "drop")
    made = lab.create_guest("mercury", "crossing")
    made.wait_until_answering()
    yield made
    lab.hosts["jupiter"].unblock_ports()
    lab.remove_guest(made)


def refused_place(console: Console, guest: LabGuest) -> Place:
    """What stops it, and nothing else does."""
    with pytest.raises(MoveRefused) as refused:
        console.request(guest, "mercury", "jupiter")
    (finding,) = refused.value.findings
    assert finding.id == CHECK
    return Place(console.find(guest, "mercury"), Host.objects.get(name="jupiter"), CHECK, finding.subject)


def give(console: Console, place: Place) -> Waiver:
    until = timezone.now() + timedelta(hours=1)
    reason = "libvirt there uses 49152 and up."
    return waivers.give_waiver(console.person("bert"), place, MoveOptions(), reason=reason, until=until)


def test_waived_finding_no_longer_stops_the_move_and_is_told_in_its_record(
    console: Console, guest: LabGuest
) -> None:
    give(console, refused_place(console, guest))
    migration = console.move(guest, "mercury", "jupiter")
    assert migration.phase == Phase.SUCCEEDED, (migration.outcome_sentence, migration.error_text)
    assert list(console.on_hosts(migration.domain_uuid)) == ["jupiter"]
    (told,) = [finding for finding in migration.findings_data if finding["id"] == CHECK]
    assert told["severity"] == "warning"
    assert told["waived"].startswith("waived by bert until ")
    assert told["waived"].endswith(": libvirt there uses 49152 and up.")
    assert told["waived"] in actions(told, None, None), "and on the page of the move"


def test_withdrawn_waiver_stops_the_move_when_both_hosts_are_checked_again(
    console: Console, guest: LabGuest
) -> None:
    place = refused_place(console, guest)
    give(console, place)
    migration = console.request(guest, "mercury", "jupiter")
    waivers.withdraw_waiver(console.person("cleo"), place)
    execution.run(migration.pk)
    row = console.reread(migration)
    assert (row.phase, "was not touched" in row.outcome_sentence) == (Phase.FAILED, True)
    assert guest.where() == {"mercury": "running"}


def test_waiver_whose_time_is_over_waives_nothing(console: Console, guest: LabGuest) -> None:
    place = refused_place(console, guest)
    give(console, place)
    assert not preflight.evaluate(place.guest, place.destination, MoveOptions()).blockers
    Waiver.objects.update(created_at=timezone.now() - timedelta(days=2), valid_until=timezone.now())
    assert preflight.evaluate(place.guest, place.destination, MoveOptions()).blockers
