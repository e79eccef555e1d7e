"""What the product's workers do, done from a test: hosts connected, guests asked to move, workers to run, kill, doubt.

The database is the test's own, the hosts are real.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from hosts.models import Guest, Host
from jobs.engine.phases import ENDED, Phase, can_advance
from jobs.models import Migration
from jobs.options import parse_options
from jobs.services import execution, reconcile
from jobs.services.fresh import read_hosts, read_pair_anew
from jobs.services.requests import request_move
from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
WORK = "import sys; from jobs.services import execution; getattr(execution, sys.argv[1])(int(sys.argv[2]))"


@dataclass(frozen=True)
class OnHost:
    """One domain as virsh on its own host tells it."""

    name: str
    state: str
    persistent: bool
    autostart: bool


class WorkerThread(threading.Thread):
    """A worker in this process. `join_and_raise` gives what went wrong in it."""

    def __init__(self, work: Any, migration_id: int) -> None:
        super().__init__(daemon=True)
        self.work, self.migration_id = work, migration_id
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.work(self.migration_id)
        except BaseException as error:  # noqa: BLE001 (carried to the test)
            self.error = error
        finally:
            connection.close()

    def join_and_raise(self, within_s: float) -> None:
        self.join(within_s)
        assert not self.is_alive(), f"the worker still runs after {within_s} s"
        if self.error is not None:
            raise self.error


@dataclass
class Console:
    """The lab's hosts as the product knows them."""

    lab: Lab
    transport: str = "tcp"
    hosts: dict[str, Host] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def connect(self) -> Console:
        keys = self.lab.credentials
        user = "root@" if self.transport == "ssh" else ""
        for name, lab_host in self.lab.hosts.items():
            self.hosts[name] = Host.objects.create(
                name=name,
                address=f"qemu+{self.transport}://{user}{lab_host.address}/system",
                peer_address=f"qemu+tcp://{lab_host.address}/system",
                migration_address=lab_host.address,
                known_hosts=keys.known_hosts_path.read_text(),
                credentials={"ssh_private_key": keys.ssh_private_key_path.read_text()},
            )
        return self

    def set_host(self, name: str, **changes: Any) -> None:
        Host.objects.filter(pk=self.hosts[name].pk).update(**changes)
        self.hosts[name].refresh_from_db()

    # Moves

    def find(self, guest: LabGuest, host: str) -> Guest:
        return Guest.objects.select_related("host").get(name=guest.name, host__name=host)

    def request(
        self, guest: LabGuest, source: str, destination: str, *, asked_by: str = "anna", **options: Any
    ) -> Migration:
        """Read anew what the command line reads anew, then ask."""
        there = Host.objects.get(name=destination)
        read_hosts(Host.objects.get(name=source), there)
        row = read_pair_anew(self.find(guest, source), there)
        return request_move(
            self.person(asked_by), row, Host.objects.get(name=destination), parse_options(options)
        )

    def move(self, guest: LabGuest, source: str, destination: str, **options: Any) -> Migration:
        """Ask and let a worker do it here; the row as it is afterwards."""
        migration = self.request(guest, source, destination, **options)
        execution.run(migration.pk)
        return self.reread(migration)

    @staticmethod
    def person(name: str) -> User:
        return User.objects.get_or_create(username=name)[0]

    @staticmethod
    def reread(migration: Migration) -> Migration:
        return Migration.objects.get(pk=migration.pk)

    def start(self, migration: Migration, work: str = "run") -> WorkerThread:
        """A worker in a thread of this process."""
        return WorkerThread(getattr(execution, work), migration.pk)

    def start_process(self, migration: Migration, work: str = "run") -> subprocess.Popen[bytes]:
        """A worker in a process of its own, to be killed."""
        env = os.environ | {
            "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
            "VM_MIGRATE_STATE_DIR": str(settings.STATE_DIR),
            "DJANGO_SETTINGS_MODULE": "vmmigrate.settings",
        }
        text = f"import django; django.setup(); {WORK}"
        process = subprocess.Popen(
            [sys.executable, "-c", text, work, str(migration.pk)], cwd=ROOT, env=env, stderr=subprocess.PIPE
        )
        self.processes.append(process)
        return process

    def wait_for_phase(self, migration: Migration, *phases: Phase, within_s: float = 30) -> Migration:
        def reached() -> Migration | None:
            row = self.reread(migration)
            return row if row.phase in phases else None

        return wait_until(reached, within_s, f"{migration} is {' or '.join(phases)}")

    def wait_for_bytes(self, migration: Migration, within_s: float = 30) -> Migration:
        """Until libvirt sends memory and the row says so: the middle of the transfer."""

        def flowing() -> Migration | None:
            row = self.reread(migration)
            sample = row.progress_data
            return row if row.phase == Phase.TRANSFERRING and (sample.get("percent") or 0) > 5 else None

        return wait_until(flowing, within_s, f"{migration} is in the middle of its transfer")

    def let_lease_lapse(self, migration: Migration) -> None:
        """What a minute without a worker does."""
        Migration.objects.filter(pk=migration.pk).update(lease_until=migration.requested_at)

    def take_over(self, migration: Migration, within_s: float = 90) -> Migration:
        """What the scheduler's rounds do until the move has ended: a bell, a worker that adopts."""

        def ended() -> Migration | None:
            reconcile.ring_again()
            execution.adopt(migration.pk)
            row = self.reread(migration)
            return row if row.phase in ENDED else None

        return wait_until(ended, within_s, f"{migration} has ended")

    # Truth

    def on_hosts(self, domain_uuid: str | uuid.UUID) -> dict[str, OnHost]:
        """By host that knows it; asked with virsh on the hosts themselves."""
        found = {}
        for name, host in self.lab.hosts.items():
            lines = host.virsh("dominfo", str(domain_uuid), check=False).splitlines()
            facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
            if "State" in facts:
                found[name] = OnHost(
                    facts["Name"],
                    facts["State"],
                    facts["Persistent"] == "yes",
                    facts["Autostart"] == "enable",
                )
        return found

    def inventory(self, domain_uuid: str | uuid.UUID) -> dict[str, str]:
        """Host → state of the guests that the database shows as present."""
        rows = Guest.objects.present().filter(domain_uuid=domain_uuid)
        return dict(rows.values_list("host__name", "state"))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def check_timeline(migration: Migration) -> list[str]:
    """The phases it went through. Every step must be an allowed one, in order of time, up to the row's own phase."""
    lines = list(migration.transitions.all())
    assert (lines[0].old, lines[0].new) == ("", Phase.QUEUED)
    for before, line in itertools.pairwise(lines):
        assert line.old == before.new
        assert line.at >= before.at
        assert line.new == line.old or can_advance(Phase(line.old), Phase(line.new)), (
            f"{line.old} → {line.new}"
        )
        assert line.sentence.strip()
    assert lines[-1].new == migration.phase
    return [lines[0].new, *(line.new for line in lines[1:] if line.new != line.old)]


def check_progress(migration: Migration) -> None:
    """Never backwards, never whole before it is confirmed."""
    points = list(migration.points.values_list("at_ms", "percent"))
    assert points == sorted(points)
    percents = [percent for _, percent in points if percent is not None]
    assert percents == sorted(percents)
    assert all(0 <= percent < 100 for percent in percents)


def check_ended_row(migration: Migration) -> list[str]:
    """What must hold of every row that has ended, however it ended."""
    assert migration.phase in ENDED
    assert migration.ended_at is not None
    assert migration.lease_until is None
    assert migration.verdict in {"moved", "not-moved"}
    assert migration.outcome_sentence
    assert migration.help_desk_sentence
    assert "Traceback" not in migration.error_text
    check_progress(migration)
    return check_timeline(migration)
