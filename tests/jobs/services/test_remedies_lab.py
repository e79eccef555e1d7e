"""Remedies on real hosts: as it was, pressed, as it is then by virsh on the host itself, and the finding gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from hosts.models import AuditEntry, Guest, Host
from jobs.models import Remedy
from jobs.options import MoveOptions
from jobs.preflight import fixes, registry
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Fix, Severity
from jobs.preflight.registry import Check
from jobs.preflight.say import blocker
from jobs.services import preflight, remedies, remedy_work
from jobs.services.fresh import read_hosts, read_pair_anew
from jobs.services.remedies import RemedyRefused, Wish
from tests.jobs.console import Console
from tests.jobs.rows import make_move
from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

IMAGES = "/var/lib/libvirt/images"
CD, FLOPPY, DISK = f"{IMAGES}/local/medium.iso", f"{IMAGES}/local/floppy.img", f"{IMAGES}/local/patient.img"
PATIENT = f"""<domain type='qemu'><name>patient</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
<devices>
  <disk type='file' device='disk'><driver name='qemu' type='raw' cache='writeback' discard='unmap'/>
    <source file='{DISK}'/><target dev='vda' bus='virtio'/></disk>
  <disk type='file' device='cdrom'><driver name='qemu' type='raw'/>
    <source file='{CD}'/><target dev='hda' bus='ide'/><readonly/></disk>
  <disk type='file' device='floppy'><driver name='qemu' type='raw'/>
    <source file='{FLOPPY}'/><target dev='fda' bus='fdc'/></disk>
  <graphics type='vnc' port='-1' passwd='s3cret'/>
</devices></domain>"""
POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"
NETWORK = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>"

Offering = Callable[[PreflightContext], tuple[str, Fix] | None]  # what is wrong, and the way out


class Clinic:
    """One guest on mercury, on its way to jupiter; remedies pressed by people and done by a worker in this process."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.mercury, self.jupiter = console.lab.hosts["mercury"], console.lab.hosts["jupiter"]

    def read(self) -> Guest:
        source, destination = (Host.objects.get(name=name) for name in ("mercury", "jupiter"))
        read_hosts(source, destination)
        row = Guest.objects.select_related("host").get(name="patient", host=source)
        return read_pair_anew(row, destination)

    def find(self, check_id: str = "test.remedy") -> Wish | None:
        """What a page would offer, from what is stored."""
        row, destination = self.rows()
        for finding in preflight.evaluate(row, destination, MoveOptions()).findings:
            if finding.id == check_id and finding.fix is not None:
                return Wish(finding.id, finding.subject, finding.fix.kind, remedies.digest_fix(finding.fix))
        return None

    def rows(self) -> tuple[Guest, Host]:
        guest = Guest.objects.select_related("host").get(name="patient", host__name="mercury")
        return guest, Host.objects.get(name="jupiter")

    def ask(self, wish: Wish, person: str = "anna") -> Remedy:
        return remedies.request_remedy(self.console.person(person), *self.rows(), MoveOptions(), wish)

    def press(self, wish: Wish | None = None) -> Remedy:
        wish = wish or self.find()
        assert wish is not None, "no remedy is offered"
        order = self.ask(wish)
        remedy_work.run(order.pk)
        order.refresh_from_db()
        return order


def put(host: LabHost, kind: str, xml: str) -> None:
    host.path("/run/put.xml").write_text(xml)
    host.virsh(kind, "/run/put.xml")


def state(host: LabHost, kind: str, name: str) -> tuple[str, str] | None:
    """Active and autostart of a pool or network; None when there is none."""
    lines = host.virsh(f"{kind}-info", name, check=False).splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    active = facts.get("State", facts.get("Active"))
    return None if active is None else (active, facts["Autostart"])


def media(host: LabHost, *flags: str) -> dict[str, str]:
    """Drive → medium, by virsh."""
    lines = [line.split() for line in host.virsh("domblklist", "patient", *flags).splitlines()]
    return {words[0]: words[1] for words in lines if words}


@pytest.fixture
def clinic(console: Console) -> Iterator[Clinic]:
    made = Clinic(console)
    mercury = made.mercury
    for path in (CD, FLOPPY, DISK):
        mercury.run(["truncate", "-s", "1440K", path])
    put(mercury, "define", PATIENT)
    mercury.virsh("start", "patient")
    yield made
    for host in (made.mercury, made.jupiter):
        host.restore()
        host.virsh("destroy", "patient", check=False)
        host.virsh("undefine", "patient", check=False)
        for pool in ("twin", "spare"):
            host.virsh("pool-destroy", pool, check=False)
            host.virsh("pool-undefine", pool, check=False)
        host.virsh("net-destroy", "lan", check=False)
        host.virsh("net-undefine", "lan", check=False)
        host.run(["sh", "-c", f"rm -rf {IMAGES}/twin {IMAGES}/spare {IMAGES}/local/*"])
        host.virsh("pool-refresh", "local")


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Callable[[Offering], None]:
    """One more check: what it says of the real facts goes the way of all findings."""
    real = registry.list_checks

    def add(offering: Offering) -> None:
        def check_it(context: PreflightContext) -> Iterator[Any]:
            found = offering(context)
            if found is not None:
                yield blocker("the patient", found[0], "Press the button.", fix=found[1])

        severities = (Severity.BLOCKER,)
        added = Check("test.remedy", "All is well", "test", False, severities, Severity.BLOCKER, "", check_it)
        monkeypatch.setattr(registry, "list_checks", lambda: (*real(), added))

    return add


# What each check would offer, found in the real facts


def full_drive(target: str) -> Offering:
    def look(context: PreflightContext) -> tuple[str, Fix] | None:
        disks = {disk.target: disk for disk in context.guest.facts.disks}
        full = not disks[target].empty
        return ("A medium is in.", fixes.eject_media(context, target)) if full else None

    return look


def cached(context: PreflightContext) -> tuple[str, Fix] | None:
    wrong = "cache='writeback'" in context.guest.inactive_xml
    return ("It is cached.", fixes.set_cache_none(context, "vda")) if wrong else None


def pool_asleep(context: PreflightContext) -> tuple[str, Fix] | None:
    facts = context.destination.facts
    asleep = facts is not None and any(pool.name == "spare" and not pool.active for pool in facts.pools)
    return ("It is not started.", fixes.start_pool(context.destination, "spare")) if asleep else None


def pool_missing(context: PreflightContext) -> tuple[str, Fix] | None:
    facts = context.destination.facts
    missing = facts is not None and not any(pool.name == "twin" for pool in facts.pools)
    return ("There is no pool twin.", fixes.create_pool(context, "twin")) if missing else None


def network_asleep(context: PreflightContext) -> tuple[str, Fix] | None:
    facts = context.destination.facts
    asleep = facts is not None and any(item.name == "lan" and not item.active for item in facts.networks)
    return ("It is not started.", fixes.start_network(context.destination, "lan")) if asleep else None


def volume_wanted(context: PreflightContext) -> tuple[str, Fix]:
    fix = fixes.create_volume(
        context, pool="local", volume="copy.qcow2", format_name="qcow2", capacity_bytes=10 * 2**20
    )
    return "There is no volume.", fix


def audit() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


def check_done(order: Remedy, action: str) -> None:
    assert (order.outcome, order.advice) == ("done", ""), order.sentence
    assert order.checked_at is not None
    entry = audit()
    assert (entry.actor_name, entry.action, entry.outcome) == ("anna", f"remedy.{action}", "done")
    assert entry.before_data != entry.after_data
    assert order.sentence in entry.sentence


# Each remedy


@pytest.mark.parametrize(("target", "path"), [("hda", CD), ("fda", FLOPPY)], ids=["cd", "floppy"])
def test_medium_is_ejected_from_the_running_guest_and_its_definition(
    clinic: Clinic, offered: Callable[[Offering], None], target: str, path: str
) -> None:
    offered(full_drive(target))
    clinic.read()
    wish = clinic.find()
    assert (media(clinic.mercury)[target], media(clinic.mercury, "--inactive")[target]) == (path, path)
    order = clinic.press(wish)
    check_done(order, "eject-media")
    assert (media(clinic.mercury)[target], media(clinic.mercury, "--inactive")[target]) == ("-", "-")
    other = {"hda": "fda", "fda": "hda"}[target]
    assert media(clinic.mercury)[other] != "-", "the other drive keeps its medium"
    assert clinic.mercury.path(path).exists()
    assert audit().object_name == "guest patient on mercury"
    assert clinic.find() is None, "the finding is gone by itself"
    with pytest.raises(RemedyRefused, match="not needed any more"):
        clinic.ask(wish)  # type: ignore[arg-type]
    assert audit().outcome == "refused"


def test_medium_is_ejected_from_a_guest_that_is_shut_off(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    clinic.mercury.virsh("destroy", "patient")
    offered(full_drive("hda"))
    clinic.read()
    check_done(clinic.press(), "eject-media")
    assert media(clinic.mercury, "--inactive")["hda"] == "-"


def test_medium_that_is_in_the_definition_only_is_ejected_there(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    clinic.mercury.virsh("change-media", "patient", "hda", "--eject", "--live", "--force")
    offered(lambda context: ("A medium is in.", fixes.eject_media(context, "hda")))
    clinic.read()
    order = clinic.press()
    assert order.outcome == "done"
    assert "in the definition" in order.sentence
    assert media(clinic.mercury, "--inactive")["hda"] == "-"
    again = clinic.press()
    assert (again.outcome, again.sentence) == ("not-needed", "The drive hda of patient was empty already.")


def test_half_ejected_medium_is_named(clinic: Clinic, offered: Callable[[Offering], None]) -> None:
    definition = clinic.mercury.path("/etc/libvirt/qemu/patient.xml")
    text = definition.read_text()
    definition.unlink()
    definition.mkdir()  # libvirt cannot write its definition any more
    try:
        offered(full_drive("hda"))
        clinic.read()
        order = clinic.press()
    finally:
        definition.rmdir()
        definition.write_text(text)
    assert order.outcome == "failed"
    assert "is out of the running guest, but not out of the definition" in order.sentence
    assert (media(clinic.mercury)["hda"], media(clinic.mercury, "--inactive")["hda"]) == ("-", CD)
    assert audit().outcome == "failed"


def test_cache_none_is_one_word_in_the_definition_and_nothing_else(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    offered(cached)
    clinic.read()
    dump = ("dumpxml", "patient", "--security-info")
    before, live = clinic.mercury.virsh(*dump, "--inactive"), clinic.mercury.virsh(*dump)
    assert "passwd='s3cret'" in before
    order = clinic.press()
    check_done(order, "cache-none")
    assert "when the guest is shut off and started again" in order.sentence
    after = clinic.mercury.virsh(*dump, "--inactive")
    assert after == before.replace("cache='writeback'", "cache='none'", 1)
    assert clinic.mercury.virsh(*dump) == live, "the running guest goes on as before"
    assert "s3cret" not in str(audit().__dict__)
    assert clinic.find() is None


def test_sleeping_pool_is_started_and_starts_with_its_host(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.jupiter, "pool-define", POOL.format(name="spare", path=f"{IMAGES}/spare"))
    clinic.jupiter.virsh("pool-build", "spare")
    offered(pool_asleep)
    clinic.read()
    wish = clinic.find()
    assert state(clinic.jupiter, "pool", "spare") == ("inactive", "no")
    check_done(clinic.press(wish), "start-pool")
    assert state(clinic.jupiter, "pool", "spare") == ("running", "yes")
    assert clinic.find() is None


def test_pool_that_cannot_start_is_told_with_libvirts_words(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.jupiter, "pool-define", POOL.format(name="spare", path=f"{IMAGES}/spare"))
    offered(pool_asleep)
    clinic.read()
    order = clinic.press()
    assert order.outcome == "failed"
    assert "jupiter could not start the pool spare" in order.sentence
    assert f"{IMAGES}/spare" in order.sentence
    assert "journalctl" in order.advice
    assert state(clinic.jupiter, "pool", "spare") == ("inactive", "no")
    assert audit().outcome == "failed"
    assert clinic.find() is not None


def test_pool_that_is_started_but_will_not_start_with_its_host_is_named(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.jupiter, "pool-define", POOL.format(name="spare", path=f"{IMAGES}/spare"))
    clinic.jupiter.virsh("pool-build", "spare")
    in_the_way = clinic.jupiter.path("/etc/libvirt/storage/autostart/spare.xml")
    in_the_way.mkdir(parents=True)
    try:
        offered(pool_asleep)
        clinic.read()
        order = clinic.press()
    finally:
        in_the_way.rmdir()
    assert order.outcome == "failed"
    assert "the pool spare is started, but does not start with its host yet" in order.sentence
    assert state(clinic.jupiter, "pool", "spare") == ("running", "no")


def test_missing_pool_is_made_as_the_source_defines_it(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.mercury, "pool-define", POOL.format(name="twin", path=f"{IMAGES}/twin"))
    clinic.mercury.virsh("pool-build twin; pool-start twin")
    offered(pool_missing)
    clinic.read()
    wish = clinic.find()
    assert state(clinic.jupiter, "pool", "twin") is None
    check_done(clinic.press(wish), "create-pool")
    assert state(clinic.jupiter, "pool", "twin") == ("running", "yes")
    path = f"<path>{IMAGES}/twin</path>"
    assert path in clinic.jupiter.virsh("pool-dumpxml", "twin")
    uuids = {host.virsh("pool-uuid", "twin").strip() for host in (clinic.mercury, clinic.jupiter)}
    assert len(uuids) == 2, "each host's pool has its own UUID"
    assert clinic.find() is None


@pytest.mark.parametrize(
    ("path", "step"),
    [(f"{IMAGES}/spare/twin", "build"), (f"{IMAGES}/spare", "start")],
    ids=["build", "start"],
)
def test_pool_that_cannot_be_brought_up_is_taken_back_and_said(
    clinic: Clinic, offered: Callable[[Offering], None], path: str, step: str
) -> None:
    put(clinic.mercury, "pool-define", POOL.format(name="twin", path=path))
    clinic.jupiter.path(f"{IMAGES}/spare").write_text("a file where the folder would be")
    offered(pool_missing)
    clinic.read()
    order = clinic.press()
    assert order.outcome == "failed"
    assert f"could not {step} the pool twin: " in order.sentence
    assert "Its definition was removed again" in order.sentence
    assert ("may be left" in order.sentence) == (step == "start")
    assert state(clinic.jupiter, "pool", "twin") is None
    assert clinic.jupiter.path(f"{IMAGES}/spare").is_file()
    assert audit().outcome == "failed"


def test_pool_of_that_name_but_another_place_is_left_alone(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.mercury, "pool-define", POOL.format(name="twin", path=f"{IMAGES}/twin"))
    offered(pool_missing)
    clinic.read()
    wish = clinic.find()
    put(clinic.jupiter, "pool-define", POOL.format(name="twin", path=f"{IMAGES}/spare"))
    order = clinic.press(wish)
    assert order.outcome == "refused"
    assert "another pool named twin" in order.sentence
    assert f"{IMAGES}/spare" in clinic.jupiter.virsh("pool-dumpxml", "twin")


def test_missing_volume_is_made_once_and_another_one_is_never_touched(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    offered(volume_wanted)
    clinic.read()
    check_done(clinic.press(), "create-volume")
    dump = clinic.jupiter.virsh("vol-dumpxml", "copy.qcow2", "local")
    assert "<format type='qcow2'/>" in dump
    assert f"<capacity unit='bytes'>{10 * 2**20}</capacity>" in dump
    again = clinic.press()
    assert (again.outcome, "already" in again.sentence) == ("not-needed", True)
    clinic.jupiter.virsh("vol-delete", "copy.qcow2", "local")
    clinic.jupiter.virsh("vol-create-as", "local", "copy.qcow2", "1M")
    other = clinic.press()
    assert (other.outcome, "It was not touched" in other.sentence) == ("refused", True)
    assert "1048576" in clinic.jupiter.virsh("vol-dumpxml", "copy.qcow2", "local")


def test_sleeping_network_is_started_and_starts_with_its_host(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.jupiter, "net-define", NETWORK)
    offered(network_asleep)
    clinic.read()
    wish = clinic.find()
    assert state(clinic.jupiter, "net", "lan") == ("no", "no")
    check_done(clinic.press(wish), "start-network")
    assert state(clinic.jupiter, "net", "lan") == ("yes", "yes")
    assert clinic.find() is None


@pytest.fixture
def over_ssh(clinic: Clinic) -> Iterator[LabHost]:
    """mercury reaches jupiter over SSH, and root there has never met it."""
    for name, host in clinic.console.lab.hosts.items():
        address = f"qemu+ssh://root@{host.address}/system"
        clinic.console.set_host(name, address=address, peer_address=f"qemu+ssh://root@{name}/system")
    known = clinic.mercury.path("/root/.ssh/known_hosts")
    text = known.read_text()
    known.write_text("".join(line for line in text.splitlines(True) if "jupiter" not in line).rstrip("\n"))
    yield clinic.mercury
    known.write_text(text)


def login_fails(context: PreflightContext) -> tuple[str, Fix] | None:
    probe = context.peer_probe
    refused = probe is not None and "Host key verification failed" in probe.libvirt_login.detail
    return ("It does not know the key.", fixes.accept_host_key(context)) if refused else None


def test_accepted_host_key_is_made_known_to_root_of_the_source(
    clinic: Clinic, over_ssh: LabHost, offered: Callable[[Offering], None]
) -> None:
    offered(login_fails)
    clinic.read()
    known = over_ssh.path("/root/.ssh/known_hosts")
    before = known.read_text()
    wish = clinic.find()
    check_done(clinic.press(wish), "accept-host-key")
    added = known.read_text().removeprefix(before)
    assert added.startswith("\njupiter ssh-ed25519 "), "on a line of its own, though the last one had no end"
    assert added.count("\n") == 2
    assert known.stat().st_mode & 0o777 == 0o644
    assert clinic.find() is None, "the source logs in at the destination now"
    offered(lambda context: ("Once more.", fixes.accept_host_key(context)))
    again = clinic.press()
    assert (again.outcome, again.sentence) == ("not-needed", "mercury knew the key of jupiter already.")
    assert known.read_text() == before + added


def test_another_known_key_is_never_overruled(
    clinic: Clinic, over_ssh: LabHost, offered: Callable[[Offering], None]
) -> None:
    known = over_ssh.path("/root/.ssh/known_hosts")
    other = clinic.console.lab.credentials.known_hosts_path.read_text().splitlines()
    false = next(line.split()[2] for line in other if "mercury" in line)
    known.write_text(known.read_text() + f"\njupiter ssh-ed25519 {false}\n")
    before = known.read_text()
    offered(lambda context: ("Unknown key.", fixes.accept_host_key(context)))
    clinic.read()
    order = clinic.press()
    assert order.outcome == "refused"
    assert "mercury knows another key for jupiter" in order.sentence
    assert "ssh-keygen -R 'jupiter'" in order.advice
    assert known.read_text() == before


# What goes wrong around it


def test_host_that_does_not_answer_is_said_and_nothing_was_changed(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    put(clinic.jupiter, "pool-define", POOL.format(name="spare", path=f"{IMAGES}/spare"))
    clinic.jupiter.virsh("pool-build", "spare")
    offered(pool_asleep)
    clinic.read()
    clinic.jupiter.pause_libvirtd()
    begun = timezone.now()
    order = clinic.press()
    assert order.outcome == "failed", order.sentence
    assert "jupiter" in order.sentence
    assert "Nothing was changed" in order.sentence
    assert (order.ended_at or begun) - begun < timedelta(seconds=25)
    assert order.checked_at is not None
    clinic.jupiter.resume_libvirtd()
    assert state(clinic.jupiter, "pool", "spare") == ("inactive", "no")


def test_what_no_worker_takes_is_withdrawn_and_not_done_later(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    offered(full_drive("hda"))
    clinic.read()
    order = clinic.ask(clinic.find())  # type: ignore[arg-type]
    Remedy.objects.filter(pk=order.pk).update(asked_at=timezone.now() - timedelta(minutes=1))
    remedies.expire_lapsed()
    order.refresh_from_db()
    assert (order.outcome, "No worker took it" in order.sentence) == ("refused", True)
    remedy_work.run(order.pk)  # the bell comes late
    assert media(clinic.mercury)["hda"] == CD
    assert audit().outcome == "refused"


def test_worker_that_never_came_back_leaves_an_unknown_outcome(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    offered(full_drive("hda"))
    clinic.read()
    order = clinic.ask(clinic.find())  # type: ignore[arg-type]
    Remedy.objects.filter(pk=order.pk).update(claimed_at=timezone.now() - timedelta(minutes=5))
    remedies.expire_lapsed()
    order.refresh_from_db()
    assert (order.outcome, audit().outcome) == ("unknown", "unknown")
    assert "before it said what became of it on mercury" in order.sentence
    assert clinic.press().outcome == "done", "and it can be asked for again"


def test_of_two_people_one_does_it_and_the_other_is_told(
    clinic: Clinic, offered: Callable[[Offering], None]
) -> None:
    offered(full_drive("hda"))
    clinic.read()
    wish = clinic.find()
    answers: list[Any] = []
    line_up = threading.Barrier(2)

    def act(person: str) -> None:
        line_up.wait(10)
        try:
            answers.append(clinic.ask(wish, person))  # type: ignore[arg-type]
        except RemedyRefused as refused:
            answers.append(refused)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(person,)) for person in ("anna", "bert")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (won,) = [answer for answer in answers if isinstance(answer, Remedy)]
    (lost,) = [answer for answer in answers if isinstance(answer, RemedyRefused)]
    assert won.asked_by_name in lost.message
    assert lost.under_way == won
    remedy_work.run(won.pk)
    remedy_work.run(won.pk)  # a second delivery
    assert Remedy.objects.get().outcome == "done"
    assert AuditEntry.objects.filter(outcome="done").count() == 1


def test_guest_under_way_is_left_alone(clinic: Clinic, offered: Callable[[Offering], None]) -> None:
    offered(full_drive("hda"))
    guest = clinic.read()
    make_move(guest.host, clinic.console.hosts["jupiter"], name="patient", domain_uuid=guest.domain_uuid)
    with pytest.raises(RemedyRefused, match="is being moved"):
        clinic.press()
    assert media(clinic.mercury)["hda"] == CD
