"""`bin/demo --once`: one real live move, asked for over HTTP, done by a worker, checked on both hosts and the guest.

Exits 0 only if the product says "moved", both libvirtds say the same, and the guest never stopped counting.
Every check is printed, so that a failure says which of them did not hold.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmmigrate.settings")
django.setup()

from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn  # noqa: E402

from hosts.models import Guest, Host  # noqa: E402
from jobs.models import Migration  # noqa: E402
from jobs.services.waiting import NotPickedUp, wait_until_ended  # noqa: E402
from tests.http_browser import HttpBrowser, NotAccepted  # noqa: E402
from tests.lab import Lab, LabGuest  # noqa: E402

T = TypeVar("T")
GUEST = "web01"
READY_WITHIN_S = 60.0
CONTINUES_WITHIN_S = 20.0
console = Console()


class DemoFailed(Exception):
    """What did not work, in a sentence."""


@dataclass
class Checks:
    """What must hold, each said as it is found."""

    failed: int = 0

    def check(self, what: str, holds: bool, seen: object = "") -> None:
        mark = "[green]✓[/]" if holds else "[red]✗[/]"
        console.print(f"  {mark} {what}{f' ({seen})' if seen != '' else ''}", highlight=False)
        self.failed += not holds


def main() -> int:
    state = Path(os.environ["VM_MIGRATE_STATE_DIR"])
    lab = Lab.attach(sys.argv[1] if len(sys.argv) > 1 else "demo")
    try:
        return move_once(state, lab, lab.guests[GUEST])
    except (DemoFailed, NotAccepted, NotPickedUp) as error:
        console.print(f"[red]✗[/] {error}")
        return 1


def move_once(state: Path, lab: Lab, guest: LabGuest) -> int:
    guest.wait_until_answering(timeout_s=90)
    _wait(lambda: guest.sequence(_host_of(guest)), "the guest writes its numbers", READY_WITHIN_S)
    source = _host_of(guest)
    destination = next(name for name in lab.hosts if name != source)
    browser = HttpBrowser(json.loads((state / "runtime.json").read_text())["url"])
    account, password = next(iter(json.loads((state / "secrets" / "demo_accounts.json").read_text()).items()))
    browser.log_in(account, password)
    with guest.ping_gap_ms() as pings:
        asked_at = time.monotonic()
        migration = ask_for_move(browser, guest, source, destination)
        migration = watch(migration)
        took_s = time.monotonic() - asked_at
        before = guest.disk_sequence()
        _wait(lambda: guest.disk_sequence() > before + 3, "the guest goes on counting", CONTINUES_WITHIN_S)
    console.print(f"\n{migration.outcome_sentence}", highlight=False)
    checks = Checks()
    check_hosts(checks, lab, guest, migration, source, destination)
    check_guest(checks, guest, source, destination)
    print_figures(migration, took_s, pings.longest_ms)
    return 1 if checks.failed else 0


def ask_for_move(browser: HttpBrowser, guest: LabGuest, source: str, destination: str) -> Migration:
    """As a person does: open the dialog, press "Migrate"."""
    row = _wait(
        lambda: Guest.objects.present().filter(name=guest.name, host__name=source).first(),
        "the guest is known",
        30,
    )
    browser.migrate(row.pk, Host.objects.get(name=destination).pk, "bin/demo --once")
    return Migration.objects.filter(domain_uuid=row.domain_uuid).latest("requested_at")


def watch(migration: Migration) -> Migration:
    """Draw the progress that the browsers see."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{migration}", total=100)
        return wait_until_ended(migration, lambda seen: _draw(progress, task, seen))


def _draw(progress: Progress, task: TaskID, migration: Migration) -> None:
    percent = migration.progress_data.get("percent") or 0
    step = migration.progress_data.get("step", "") if migration.phase == "transferring" else ""
    words = f"{migration}  {migration.phase}{f', {step}' if step else ''}"
    progress.update(task, completed=100 if migration.phase == "succeeded" else percent, description=words)


def check_hosts(
    checks: Checks, lab: Lab, guest: LabGuest, migration: Migration, source: str, destination: str
) -> None:
    """Asked of both libvirtds, not of the product."""
    checks.check(
        "the product says it was moved",
        migration.phase == "succeeded",
        migration.error_text or migration.phase,
    )
    where = guest.where()
    checks.check(
        f"{destination} runs it", where.get(destination) == "running", where.get(destination, "not there")
    )
    checks.check(f"{source} no longer knows it", source not in where, where.get(source, "not there"))
    info = lab.hosts[destination].virsh("dominfo", guest.name, check=False)
    checks.check(f"its definition is kept on {destination}", bool(re.search(r"Persistent:\s+yes", info)))


def check_guest(checks: Checks, guest: LabGuest, source: str, destination: str) -> None:
    checks.check("the guest answers", guest.ping(timeout_s=3))
    spoken = guest.joint_sequence([source, destination])
    numbers = guest.disk_numbers()
    checks.check("it goes on counting on its new host", bool(guest.sequence(destination)))
    checks.check("nothing it said is missing or repeated", _unbroken(spoken), f"{len(spoken)} numbers")
    checks.check("nothing on its disk is missing or repeated", _unbroken(numbers), f"{len(numbers)} numbers")


def print_figures(migration: Migration, took_s: float, gap_ms: float) -> None:
    moved_ms, pause_ms = migration.duration_ms or 0, migration.downtime_ms or 0
    console.print(
        f"\nasked for to verified {took_s:.2f} s, of which libvirt moved it for {moved_ms / 1000:.2f} s; "
        f"measured pause {pause_ms} ms (longest gap between pings {gap_ms:.0f} ms)\n"
        f"{migration.virsh_line}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _unbroken(numbers: list[int]) -> bool:
    return bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _host_of(guest: LabGuest) -> str:
    for name, state in guest.where().items():
        if state == "running":
            return name
    raise DemoFailed(f"{guest.name} does not run on any host: {guest.where()}")


def _wait(condition: Callable[[], T | None], what: str, within_s: float) -> T:
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise DemoFailed(f"Not within {within_s:.0f} s: {what}.")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
