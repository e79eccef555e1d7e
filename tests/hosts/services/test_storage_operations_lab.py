"""Single operations on pools and volumes of real hosts: done, refused while in use, cancelled, their worker killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from hosts.models import AuditEntry, OperationOutcome, PoolContents, StorageOperation, Volume
from hosts.services import contents, inventory, spool, storage_orders, storage_work
from hosts.services.storage_orders import OperationKind as K
from hosts.services.storage_orders import StorageRefused, order
from tests.hosts.services.storage import MIB, do, make_template
from tests.jobs.console import ROOT, Console
from tests.lab import Lab
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.storage]
O = OperationOutcome  # noqa: E741
POOL = "plain"
XML = f"<pool type='dir'><name>{POOL}</name><target><path>/var/lib/libvirt/{POOL}</path></target></pool>"
STRANGE = "a b <script>alert('1') & ☕.qcow2"


@pytest.fixture
def console(clean_lab: Lab, bells: None, transactional_db: None) -> Iterator[Console]:
    instance = Console(clean_lab).connect()
    host = clean_lab.hosts["mercury"]
    host.run(["rm", "-rf", f"/var/lib/libvirt/{POOL}"])
    host.run(["sh", "-c", f"cat >/tmp/{POOL}.xml <<'END'\n{XML}\nEND\n"])
    host.virsh(f"pool-define /tmp/{POOL}.xml; pool-build {POOL}; pool-start {POOL}")
    read(instance)
    yield instance
    instance.close()


def read(console: Console) -> None:
    for host in console.hosts.values():
        if inventory.refresh_host(host):
            for pool in (POOL, "VM", "local"):
                contents.read_contents(host, pool)


def virsh(console: Console, *words: str) -> str:
    return console.lab.hosts["mercury"].virsh(*words)


def test_life_of_a_pool(console: Console) -> None:
    mercury = console.hosts["mercury"]
    assert do(mercury, K.AUTOSTART_ON, POOL).outcome == O.DONE
    assert do(mercury, K.AUTOSTART_ON, POOL).outcome == O.NOT_NEEDED
    assert do(mercury, K.AUTOSTART_OFF, POOL).outcome == O.DONE
    assert do(mercury, K.STOP, POOL).outcome == O.DONE
    assert PoolContents.objects.get(host=mercury, pool_name=POOL).error  # its volumes are as they were
    assert do(mercury, K.START, POOL).outcome == O.DONE
    assert do(mercury, K.UNDEFINE, POOL).outcome == O.DONE
    assert POOL not in virsh(console, "pool-list", "--all", "--name").split()
    mercury.refresh_from_db()
    assert mercury.facts is not None
    assert POOL not in [pool.name for pool in mercury.facts.pools]
    assert AuditEntry.objects.filter(action="storage.undefine", outcome="done").exists()


def test_life_of_a_volume_with_a_strange_name(console: Console) -> None:
    mercury = console.hosts["mercury"]
    made = do(mercury, K.VOLUME_CREATE, POOL, STRANGE, format="qcow2", capacity_bytes=8 * MIB)
    assert made.outcome == O.DONE
    row = Volume.objects.get(contents__host=mercury, name=STRANGE)
    assert (row.format, row.capacity_bytes) == ("qcow2", 8 * MIB)
    assert do(mercury, K.VOLUME_RESIZE, POOL, STRANGE, capacity_bytes=16 * MIB).outcome == O.DONE
    assert do(mercury, K.VOLUME_CLONE, POOL, STRANGE, new_name="twin.qcow2").outcome == O.DONE
    assert do(mercury, K.VOLUME_WIPE, POOL, "twin.qcow2", algorithm="zero").outcome == O.DONE
    assert do(mercury, K.VOLUME_DELETE, POOL, "twin.qcow2").outcome == O.DONE
    assert do(mercury, K.VOLUME_DELETE, POOL, STRANGE).outcome == O.DONE
    assert not Volume.objects.filter(contents__host=mercury, contents__pool_name=POOL).exists()


def test_layer_below_another_volume_is_not_deleted(console: Console) -> None:
    mercury = console.hosts["mercury"]
    do(mercury, K.VOLUME_CREATE, POOL, "base.qcow2", format="qcow2", capacity_bytes=8 * MIB)
    base = Volume.objects.get(contents__host=mercury, name="base.qcow2").path
    do(mercury, K.VOLUME_CREATE, POOL, "top.qcow2", format="qcow2", capacity_bytes=8 * MIB,
       backing_path=base, backing_format="qcow2")  # fmt: skip
    assert Volume.objects.get(contents__host=mercury, name="top.qcow2").backing_path == base
    with pytest.raises(StorageRefused, match=r"layer below top\.qcow2"):
        do(mercury, K.VOLUME_DELETE, POOL, "base.qcow2")


def test_pool_that_holds_volumes_is_not_deleted(console: Console) -> None:
    mercury = console.hosts["mercury"]
    do(mercury, K.VOLUME_CREATE, POOL, "kept.qcow2", format="qcow2", capacity_bytes=8 * MIB)
    with pytest.raises(StorageRefused, match=r"still holds volumes: kept\.qcow2"):
        do(mercury, K.DELETE, POOL)
    do(mercury, K.VOLUME_DELETE, POOL, "kept.qcow2")
    assert do(mercury, K.DELETE, POOL).outcome == O.DONE
    assert POOL not in virsh(console, "pool-list", "--all", "--name").split()


def test_disk_of_a_guest_on_another_host_of_the_same_storage_is_protected(console: Console) -> None:
    guest = console.lab.create_guest("jupiter", "far", pool="VM", start=False)
    read(console)
    mercury = console.hosts["mercury"]
    do(mercury, K.REFRESH, "VM")  # libvirt there has not seen what was made on the other host
    disk = Volume.objects.filter(
        contents__host=mercury, contents__pool_name="VM", name__contains=guest.name
    ).get()
    for kind in (K.VOLUME_DELETE, K.VOLUME_WIPE):
        with pytest.raises(StorageRefused, match="in use by far on jupiter"):
            do(mercury, kind, "VM", disk.name)
    with pytest.raises(StorageRefused, match="in use by far on jupiter"):
        do(mercury, K.DELETE, "VM")


def test_worker_asks_the_host_itself_before_it_touches_a_pool(console: Console) -> None:
    """The guest came after the last reading: what is stored knows nothing of it."""
    mercury = console.hosts["mercury"]
    console.lab.create_guest("mercury", "newcomer", pool="local", cache="writeback")
    stopped = do(mercury, K.STOP, "local")
    assert (stopped.outcome, "newcomer" in stopped.sentence) == (O.REFUSED, True)
    assert "local" in virsh(console, "pool-list", "--name").split()
    with pytest.raises(StorageRefused, match="newcomer on mercury"):  # now it is stored
        do(mercury, K.STOP, "local")
    assert do(mercury, K.STOP, "local", confirmed="local").outcome == O.DONE
    assert virsh(console, "domstate", "newcomer").strip() == "running"


def test_worker_asks_the_host_itself_before_it_deletes_a_volume(console: Console) -> None:
    mercury = console.hosts["mercury"]
    console.lab.create_guest("mercury", "newcomer", pool="local", cache="writeback", start=False)
    disk = virsh(console, "domblklist", "newcomer").split()[-1]
    deleted = do(mercury, K.VOLUME_DELETE, "local", Path(disk).name)
    assert (deleted.outcome, "newcomer" in deleted.sentence) == (O.REFUSED, True)
    assert console.lab.hosts["mercury"].path(disk).exists()


def upload_file(size: int) -> tuple[str, bytes]:
    """A waiting file with zeros in its middle; its token and digest."""
    owner = Console.person("anna").pk
    data = os.urandom(size // 4) + bytes(size // 2) + os.urandom(size - size // 4 - size // 2)
    token = spool.create(owner, "image.raw", size)
    spool.append(token, owner, 0, [data])
    return token, hashlib.sha256(data).digest()


def test_upload_and_download_give_the_same_bytes(console: Console) -> None:
    mercury = console.hosts["mercury"]
    token, digest = upload_file(5 * MIB + 513)
    up = do(mercury, K.VOLUME_UPLOAD, POOL, "up.img", spool=token, create=True)
    assert (up.outcome, up.done_bytes, up.total_bytes) == (O.DONE, 5 * MIB + 513, 5 * MIB + 513)
    assert spool.find(token) is None
    there = console.lab.hosts["mercury"].path(f"/var/lib/libvirt/{POOL}/up.img").read_bytes()
    assert hashlib.sha256(there).digest() == digest
    down = do(mercury, K.VOLUME_DOWNLOAD, POOL, "up.img")
    assert down.outcome == O.DONE
    here = spool.path(down.arguments_data["spool"]).read_bytes()
    assert hashlib.sha256(here).digest() == digest


def test_upload_over_a_volume_that_is_too_small_is_refused(console: Console) -> None:
    mercury = console.hosts["mercury"]
    do(mercury, K.VOLUME_CREATE, POOL, "small.img", format="raw", capacity_bytes=MIB)
    token, _ = upload_file(2 * MIB)
    up = do(mercury, K.VOLUME_UPLOAD, POOL, "small.img", spool=token)
    assert (up.outcome, "only" in up.sentence) == (O.REFUSED, True)


def test_volume_that_was_there_keeps_its_size_when_less_is_uploaded(console: Console) -> None:
    mercury = console.hosts["mercury"]
    do(mercury, K.VOLUME_CREATE, POOL, "large.raw", format="raw", capacity_bytes=8 * MIB)
    there = console.lab.hosts["mercury"].path(f"/var/lib/libvirt/{POOL}/large.raw")
    there.write_bytes(b"old" * (8 * MIB // 3 + 1))
    os.truncate(there, 8 * MIB)
    token, digest = upload_file(2 * MIB)
    up = do(mercury, K.VOLUME_UPLOAD, POOL, "large.raw", spool=token)
    found = there.read_bytes()
    assert (up.outcome, len(found)) == (O.DONE, 8 * MIB)
    assert hashlib.sha256(found[: 2 * MIB]).digest() == digest
    assert not any(found[2 * MIB :])


def test_cancelled_upload_leaves_nothing(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hosts.services.storage_watch.TELL_EVERY_S", 0.0)
    mercury, anna = console.hosts["mercury"], Console.person("anna")
    token, _ = upload_file(8 * MIB)
    wish = {"spool": token, "create": True}
    operation = order(anna, mercury, K.VOLUME_UPLOAD, POOL, "half.img", wish)
    held = threading.Event()
    write = storage_work.streams._pieces

    def pieces(file: object, watch: object, *, sparse: bool) -> Iterator[object]:
        for number, piece in enumerate(write(file, watch, sparse=sparse)):  # type: ignore[arg-type]
            yield piece
            if number == 3:
                storage_orders.cancel(anna, StorageOperation.objects.get(pk=operation.pk))
                held.set()

    monkeypatch.setattr(storage_work.streams, "_pieces", pieces)
    storage_work.run(operation.pk)
    operation.refresh_from_db()
    assert held.is_set()
    assert (operation.outcome, operation.done_bytes) != (O.DONE, 8 * MIB)
    assert operation.outcome == O.CANCELLED
    assert "half.img" not in virsh(console, "vol-list", POOL)
    assert not Volume.objects.filter(name="half.img").exists()


def test_killed_worker_ends_as_unknown_and_its_host_is_read_again(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    mercury = console.hosts["mercury"]
    size = 768 * MIB
    virsh(console, "vol-create-as", POOL, "large.img", str(size), "--allocation", "0")
    contents.read_contents(mercury, POOL)
    token = spool.create(Console.person("anna").pk, "large.img", size)
    os.truncate(spool.path(token), size)
    operation = order(Console.person("anna"), mercury, K.VOLUME_UPLOAD, POOL, "large.img", {"spool": token})
    worker = start_worker(operation)
    wait_until(lambda: StorageOperation.objects.get(pk=operation.pk).done_bytes, 30, "bytes flow")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert worker.returncode == -signal.SIGKILL
    assert 0 < (StorageOperation.objects.get(pk=operation.pk).done_bytes or 0) < size
    with pytest.raises(StorageRefused, match="under way"):  # until its lease has lapsed
        do(mercury, K.VOLUME_DELETE, POOL, "large.img")
    rung: list[tuple[object, ...]] = []
    for place in ("contents", "inventory"):
        monkeypatch.setattr(f"hosts.services.{place}.ring", lambda *words, **_: rung.append(words) or True)
    StorageOperation.objects.filter(pk=operation.pk).update(lease_until=timezone.now())
    storage_orders.expire_lapsed()
    operation.refresh_from_db()
    assert (operation.outcome, "mercury is read again" in operation.advice) == (O.UNKNOWN, True)
    assert ("hosts.tasks.refresh_host_task", mercury.pk) in rung
    assert ("hosts.tasks.read_contents_task", mercury.pk, POOL) in rung
    assert AuditEntry.objects.filter(action="storage.upload-volume", outcome="unknown").exists()


def start_worker(operation: StorageOperation) -> subprocess.Popen[bytes]:
    env = os.environ | {
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "VM_MIGRATE_STATE_DIR": str(settings.STATE_DIR),
        "DJANGO_SETTINGS_MODULE": "vmmigrate.settings",
    }
    text = "import sys, django; django.setup(); from hosts.services import storage_work as w; w.run(int(sys.argv[1]))"
    return subprocess.Popen([sys.executable, "-c", text, str(operation.pk)], cwd=ROOT, env=env)


def test_dead_host_is_told_with_advice_and_its_volumes_stay(console: Console) -> None:
    mercury = console.hosts["mercury"]
    do(mercury, K.VOLUME_CREATE, POOL, "stays.img", format="raw", capacity_bytes=MIB)
    console.lab.hosts["mercury"].kill_libvirtd()
    done = do(mercury, K.REFRESH, POOL)
    assert (done.outcome, done.sentence.endswith("Nothing was changed.")) == (O.FAILED, True)
    assert done.advice
    read_again = contents.read_contents(mercury, POOL)
    assert read_again.error
    assert list(read_again.volumes.values_list("name", flat=True)) == ["stays.img"]
    console.lab.hosts["mercury"].start_libvirtd()


def test_pool_that_the_host_no_longer_has_loses_its_volumes(console: Console) -> None:
    mercury = console.hosts["mercury"]
    do(mercury, K.VOLUME_CREATE, POOL, "gone.img", format="raw", capacity_bytes=MIB)
    virsh(console, f"pool-destroy {POOL}; pool-undefine {POOL}")
    read_again = contents.read_contents(mercury, POOL)
    assert read_again.error == f"mercury has no pool {POOL}."
    assert not read_again.volumes.exists()
    template = make_template(POOL, mercury, xml=XML)
    assert template.placements.count() == 1
