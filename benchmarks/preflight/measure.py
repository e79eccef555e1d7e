"""The measurements, in a process in which Django is set up on a database of its own."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from benchmarks.preflight.site import Site, build_site
from hosts.models import Guest, Host
from hosts.services import host_pairs, inventory, pairs
from jobs.options import MoveOptions, dump_options
from jobs.services import preflight
from jobs.services.matrix import ROWS
from tests.lab import Lab
from tests.waiting import wait_until
from vmmigrate.embedded_redis import PrivateRedis

HOSTS, GUESTS = 50, 100
CHOICES = {"kind": "live", "stays": "for-good", "storage": "shared"}


def measure(runs: int, targets_ms: Mapping[str, int]) -> list[str]:
    call_command("migrate", verbosity=0)
    settings.ALLOWED_HOSTS = ["testserver"]
    lab = Lab.up(name=f"bench-{os.getpid()}")
    try:
        with _redis():
            lab.create_guest("mercury", "bench", memory_mib=256)
            mercury, jupiter = _connect(lab)
            anew = measure_anew(mercury, jupiter, runs)
            guest = Guest.objects.select_related("host").get(name="bench", host=mercury)
            host_pairs.read_host_pair(mercury, jupiter)
            # The real hosts are not among the candidates: exactly HOSTS of them are judged.
            site = build_site(guest, jupiter, hosts=HOSTS, guests=GUESTS)
            Host.objects.filter(pk__in=[mercury.pk, jupiter.pk]).update(enabled=False)
            return [*_head(), "", *measure_stored(site, runs, targets_ms), "", *_anew_lines(anew, targets_ms)]
    finally:
        lab.down()


def measure_stored(site: Site, runs: int, targets_ms: Mapping[str, int]) -> list[str]:
    client, guest = Client(), site.guests[0]
    client.force_login(User.objects.create_user("bench"))
    destination = site.destinations[-1].pk
    check = CHOICES | {"destination": destination, "bandwidth_mib_per_s": "40"}
    options = {
        name: str(value) for name, value in dump_options(MoveOptions()).items() if isinstance(value, str)
    }

    def get(name: str, pk: int) -> Callable[[], object]:
        return lambda: _ok(client.get(reverse(f"jobs:{name}", args=[pk])))

    def change() -> None:
        _ok(client.post(reverse("jobs:migrate_check", args=[guest.pk]), options | check))

    def aged() -> None:
        site.age_readings(guest, timedelta(hours=1))

    def fresh() -> None:
        site.age_readings(guest, timedelta())

    card, readiness = get("guest_destinations", guest.pk), get("guest_readiness", guest.pk)
    matrix = f"{GUESTS} guests x {HOSTS} hosts, first {ROWS} rows and the sums of all"
    return [
        "from stored readings, request to rendered answer",
        _line(f"guest, {HOSTS} hosts: card on its page", _series(card, runs), targets_ms["guest"]),
        _line(f"guest, {HOSTS} hosts: tab Readiness", _series(readiness, runs), targets_ms["guest"]),
        _line(
            "the same when every reading has aged and is asked for",
            _series(readiness, runs, aged),
            targets_ms["guest"],
        ),
        _line(f"dialog opened, {HOSTS} hosts", _series(get("migrate", guest.pk), runs, fresh)),
        _line(
            f"dialog, an option changed, {HOSTS} hosts", _series(change, runs, fresh), targets_ms["dialog"]
        ),
        _line(f"host to {HOSTS} hosts and back", _series(get("host_readiness", site.source.pk), runs)),
        _line(matrix, _series(get("host_matrix", site.source.pk), max(3, runs // 3))),
    ]


def measure_anew(mercury: Host, jupiter: Host, runs: int) -> list[float]:
    """Both hosts, the pair and the verdict, from nothing that was known before. Connections are warm, as a worker's."""
    took = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            if not all(pool.map(inventory.refresh_host, (mercury, jupiter))):
                raise RuntimeError("a host of the lab did not answer")
        guest = Guest.objects.select_related("host").get(name="bench", host=mercury)
        pairs.read_pair(guest, jupiter)
        evaluation = preflight.evaluate(guest, jupiter, MoveOptions())
        took.append(time.perf_counter() - started)
        if evaluation.waiting:
            raise RuntimeError("the verdict was not made from what was read just now")
    return took[1:]


def _series(
    work: Callable[[], object], runs: int, before: Callable[[], object] = lambda: None
) -> list[float]:
    work()  # uncounted: templates are compiled, facts parsed
    took = []
    for _ in range(runs):
        before()
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return took


def _ok(answer: HttpResponseBase) -> None:
    if answer.status_code != 200:
        raise RuntimeError(f"answered with {answer.status_code}")


def _line(name: str, took_s: list[float], target_ms: int | None = None) -> str:
    low, middle, high = (1000 * value for value in (min(took_s), statistics.median(took_s), max(took_s)))
    aim = f"   aim {target_ms} ms" if target_ms else ""
    return f"  {name:<62} median {middle:5.0f}   min {low:5.0f}   max {high:5.0f} ms{aim}"


def _anew_lines(took_s: list[float], targets_ms: Mapping[str, int]) -> list[str]:
    return [
        "two real hosts asked anew over SSH, side by side, until the verdict",
        _line("one guest, one destination", took_s, targets_ms["anew"]),
    ]


def _head() -> list[str]:
    load = os.getloadavg()[0]
    return [f"{os.cpu_count()} processors, load {load:.1f}; SQLite; milliseconds"]


def _connect(lab: Lab) -> tuple[Host, Host]:
    keys = lab.credentials
    rows = [
        Host.objects.create(
            name=name, address=f"qemu+ssh://root@{lab.hosts[name].address}/system",
            peer_address=f"qemu+tcp://{lab.hosts[name].address}/system", migration_address=lab.hosts[name].address,
            known_hosts=keys.known_hosts_path.read_text(),
            credentials={"ssh_private_key": keys.ssh_private_key_path.read_text()},
        )
        for name in ("mercury", "jupiter")
    ]  # fmt: skip
    return rows[0], rows[1]


@contextmanager
def _redis() -> Iterator[None]:
    """Where readings are announced; nobody listens."""
    server = PrivateRedis.of(settings.STATE_DIR)
    process = subprocess.Popen(
        server.arguments(), executable=server.program.executable, cwd=server.directory, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(server.answers, 10, "Redis answers on its socket")
        yield
    finally:
        process.terminate()
        process.wait(10)
