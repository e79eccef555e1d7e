"""What the database knows of real hosts: at once, in every script, and never less because a host fell silent."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from hosts.models import Contact, Guest, Host
from hosts.services.inventory import refresh_host
from tests.jobs.console import Console
from tests.lab import Lab
from tests.product import ROOT, Product
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

HOSTILE = "<script>alert('x')</script> \"quoted\" 🚚 ¿ñ"
TINY = """<domain type='qemu'><name>{name}</name><title>{name}</title><description>{name}</description>
<memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices/></domain>"""
OPEN_DEADLINE_S = 10.0


@pytest.fixture
def emptied(lab: Lab) -> Iterator[Lab]:
    lab.reset()
    yield lab
    lab.reset()


def define(lab: Lab, host: str, name: str) -> None:
    safe = name.replace("&", "&amp;").replace("<", "&lt;")
    lab.hosts[host].path("/run/tiny.xml").write_text(TINY.format(name=safe))
    lab.hosts[host].virsh("define", "/run/tiny.xml")


def test_guest_of_any_name_is_stored_as_it_is(console: Console, emptied: Lab) -> None:
    name = HOSTILE.replace("/", "")
    define(emptied, "mercury", name)
    assert refresh_host(console.hosts["mercury"])
    row = Guest.objects.get(host__name="mercury")
    assert (row.name, row.state, row.persistent, row.gone_at) == (name, "shut off", True, None)
    assert (row.reading.facts.title, row.reading.facts.description) == (name, name)


def test_guest_that_the_host_no_longer_knows_is_gone_and_one_that_comes_back_is_the_same_row(
    console: Console, emptied: Lab
) -> None:
    define(emptied, "mercury", "passing")
    xml = emptied.hosts["mercury"].virsh("dumpxml", "passing")
    assert refresh_host(console.hosts["mercury"])
    first = Guest.objects.get(name="passing")
    emptied.hosts["mercury"].virsh("undefine", "passing")
    assert refresh_host(console.hosts["mercury"])
    first.refresh_from_db()
    assert first.gone_at is not None
    emptied.hosts["mercury"].path("/run/tiny.xml").write_text(xml)
    emptied.hosts["mercury"].virsh("define", "/run/tiny.xml")
    assert refresh_host(console.hosts["mercury"])
    assert Guest.objects.get(name="passing").pk == first.pk
    assert Guest.objects.get(name="passing").gone_at is None


def test_silent_host_keeps_its_guests_and_their_age(console: Console, emptied: Lab) -> None:
    define(emptied, "mercury", "keeper")
    assert refresh_host(console.hosts["mercury"])
    known = Host.objects.get(name="mercury")
    emptied.hosts["mercury"].kill_libvirtd()
    assert not refresh_host(console.hosts["mercury"])
    silent = Host.objects.get(name="mercury")
    assert silent.contact == Contact.SILENT
    assert "mercury" in silent.contact_error
    assert silent.contact_error_remedy
    assert (silent.read_at, silent.facts_data) == (known.read_at, known.facts_data)
    assert silent.tried_at is not None
    assert silent.tried_at > (silent.read_at or silent.tried_at)
    assert Guest.objects.get(name="keeper").gone_at is None
    emptied.hosts["mercury"].start_libvirtd()
    assert refresh_host(console.hosts["mercury"])
    assert Host.objects.get(name="mercury").contact_error == ""


@pytest.mark.parametrize("transport", ["tcp", "ssh"])
def test_daemon_that_hangs_never_holds_a_worker_beyond_its_deadline(
    lab: Lab, bells: None, transactional_db: None, emptied: Lab, transport: str
) -> None:
    host = Console(lab, transport).connect().hosts["mercury"]
    define(emptied, "mercury", "keeper")
    assert refresh_host(host)  # leaves a warm connection, which hangs as well
    emptied.hosts["mercury"].pause_libvirtd()
    started = time.monotonic()
    for _ in range(2):
        assert not refresh_host(host)
    took_s = time.monotonic() - started
    assert took_s < 2 * OPEN_DEADLINE_S + 4, "keepalive ends the warm one, the deadline the new one"
    assert Guest.objects.get(name="keeper").gone_at is None
    emptied.hosts["mercury"].resume_libvirtd()
    wait_until(lambda: refresh_host(host), 15, "the host is known again")


def known_to(product: Product, name: str) -> str:
    """State of the guest as the running product's database has it, and whether its host is silent."""
    return product.run_python(
        "import sys; from hosts.models import Guest; g = Guest.objects.present().filter(name=sys.argv[1]).first(); "
        "print(f'{g.state}, {g.host.contact}' if g else 'unknown')",
        name,
    )


WATCH = """
import sys, time
from hosts.models import Guest
print("watching", flush=True)
started = time.time()
while time.time() - started < 20:
    g = Guest.objects.present().filter(name=sys.argv[1]).first()
    if (g.state if g else "unknown") == sys.argv[2]:
        break
    time.sleep(0.02)
print(time.time())
"""


def test_what_virsh_does_is_in_the_database_within_two_seconds(product: Product, emptied: Lab) -> None:
    define(emptied, "mercury", "sudden")
    wait_until(lambda: known_to(product, "sudden") == "shut off, reachable", 10, "the new guest is known")
    for command, state in (("start", "running"), ("suspend", "paused"), ("destroy", "shut off")):
        seen = start_watching(product, "sudden", state)
        emptied.hosts["mercury"].virsh(command, "sudden")
        done = time.time()
        assert float(seen()) - done < 2, f"{state} was seen too late"


def start_watching(product: Product, name: str, state: str) -> Callable[[], str]:
    """A process that looks at the product's database; call what is returned for the moment it saw the state."""
    env = product.env | {"DJANGO_SETTINGS_MODULE": "vmmigrate.settings"}
    text = "import django; django.setup()\n" + WATCH
    process = subprocess.Popen(
        [sys.executable, "-c", text, name, state], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "watching"
    return lambda: process.communicate(timeout=30)[0]


def test_stopped_daemon_is_noticed_and_found_again_without_anybody(product: Product, emptied: Lab) -> None:
    define(emptied, "jupiter", "keeper")
    wait_until(lambda: known_to(product, "keeper") == "shut off, reachable", 10, "the new guest is known")
    emptied.hosts["jupiter"].terminate_libvirtd()
    wait_until(lambda: known_to(product, "keeper") == "shut off, silent", 15, "the host is marked silent")
    emptied.hosts["jupiter"].start_libvirtd()
    wait_until(lambda: known_to(product, "keeper") == "shut off, reachable", 30, "the host is found again")
