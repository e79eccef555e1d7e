"""The queue under many hands, on both databases the product knows: claimed once, slots kept, the late fenced off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, THREADS, MOVES, WITHIN_S = 3, 3, 36, 60

HEAD = """
import django; django.setup()
import uuid
from datetime import timedelta
from django.db import IntegrityError, transaction
from django.utils import timezone
from hosts.models import Host
from jobs import queue
from jobs.engine.phases import Phase
from jobs.models import Migration, StaleTransition

def make(source, destination, domain=None):
    return Migration.objects.create(
        domain_uuid=domain or uuid.uuid4(), guest_name="g", source=source, destination=destination, kind="live",
        source_name=source.name, destination_name=destination.name, requested_by_name="anna", options_data={})

def host(name, out=2, into=2):
    return Host.objects.create(name=name, address="test:///" + name, max_outgoing=out, max_incoming=into)
"""


class Database:
    """A database by its URL, used by processes of their own, as the product's are."""

    def __init__(self, url: str, state_dir: Path) -> None:
        self.env = os.environ | {
            "DATABASE_URL": url,
            "VM_MIGRATE_STATE_DIR": str(state_dir),
            "DJANGO_SETTINGS_MODULE": "vmmigrate.settings",
            "PYTHONPATH": str(ROOT),
        }
        self.run([sys.executable, "manage.py", "migrate", "-v", "0"])
        self.run([sys.executable, "manage.py", "flush", "--noinput", "-v", "0"])

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(self, text: str) -> str:
        return self.run([sys.executable, "-c", HEAD + text]).strip()

    def start_worker(self) -> subprocess.Popen[str]:
        command = [sys.executable, "tests/postgres/queue_worker.py", str(THREADS), str(WITHIN_S)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'queue.sqlite3'}", tmp_path)
    return Database(request.getfixturevalue("postgres_url"), tmp_path)


def test_each_move_is_claimed_once_and_no_slot_is_given_twice(database: Database) -> None:
    database.python(f"""
hosts = [host("a", 2, 3), host("b", 3, 1), host("c", 1, 2)]
for number in range({MOVES}):
    make(hosts[number % 3], hosts[(number + 1 + number % 2) % 3])
""")
    workers = [database.start_worker() for _ in range(PROCESSES)]
    answers = [worker.communicate(timeout=WITHIN_S + 30) for worker in workers]
    assert all(worker.returncode == 0 for worker in workers), [err for _, err in answers]
    results = [json.loads(out) for out, _ in answers]
    assert [result["errors"] for result in results] == [[]] * PROCESSES
    assert [result["over"] for result in results] == [[]] * PROCESSES
    claimed = sorted(pk for result in results for pk in result["claimed"])
    assert len(claimed) == len(set(claimed)) == MOVES
    rows = database.python(
        'rows = [(m.phase, m.epoch, m.transitions.filter(new="preparing").count()) for m in Migration.objects.all()]\n'
        "print(sorted(set(rows)))"
    )
    assert rows == "[('failed', 1, 1)]"


def test_database_itself_refuses_a_second_active_move_of_a_guest(database: Database) -> None:
    told = database.python("""
a, b = host("a"), host("b")
first = make(a, b)
for phase in Phase:
    Migration.objects.filter(pk=first.pk).update(phase=phase)
    try:
        with transaction.atomic():
            make(a, b, first.domain_uuid).delete()
        print(phase.value, end=" ")
    except IntegrityError as error:
        assert "one_active_migration_for_a_domain" in str(error) or "domain_uuid" in str(error), error
""")
    assert sorted(told.split()) == ["cancelled", "failed", "succeeded"]


def test_worker_that_comes_back_finds_itself_fenced_off(database: Database) -> None:
    told = database.python("""
a, b = host("a"), host("b")
slow = queue.claim_queued(make(a, b).pk)
assert queue.adopt(slow.pk) is None, "its lease holds"
Migration.objects.filter(pk=slow.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
assert [m.pk for m in queue.find_lapsed()] == [slow.pk]
new = queue.adopt(slow.pk)
assert queue.adopt(slow.pk) is None, "adopted once"
for attempt in (lambda: slow.advance(Phase.TRANSFERRING, "late"), lambda: queue.renew_lease(slow),
                lambda: slow.write(verdict="moved")):
    try:
        attempt()
        print("not fenced")
    except StaleTransition:
        pass
new.advance(Phase.FAILED, "over")
row = Migration.objects.get(pk=slow.pk)
print(row.phase, repr(row.verdict), row.transitions.count(), new.epoch - slow.epoch)
""")
    assert told == "failed '' 2 1"


def test_port_range_upside_down_is_refused_by_the_database_itself(database: Database) -> None:
    told = database.python("""
try:
    Host.objects.create(name="a", address="test:///a", migration_port_first=50000, migration_port_last=49152)
except IntegrityError as error:
    print("migration_port_range_runs_upwards" in str(error))
""")
    assert told == "True"
