"""The virsh line on real hosts: it does what the options say, and the rules say no where libvirt does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from hosts.facts.domain import parse_domain
from jobs.engine.destination_xml import Rewrites, plan_listen_rewrites, render_destination_xml
from jobs.engine.virsh_line import XML_FILES, render_carrying_lines, render_virsh_arguments
from jobs.engine.volumes import PlannedVolume
from jobs.options import Control, Kind, MoveOptions, Storage, check_options
from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

SHARED, LOCAL = "line-shared", "line-local"
COPY = {"storage": Storage.COPY_ALL}
TUNNEL = {"control": Control.TUNNELLED}
XBZRLE = {"compressed": True, "compression_methods": ("xbzrle",)}
MT = {"compressed": True, "compression_methods": ("mt",)}


@dataclass(frozen=True)
class Effect:
    """What can be seen of a guest on both hosts after the command."""

    state: str = "running"
    persistent: bool = True
    source: str = ""  # the state of the definition left at the source


@dataclass(frozen=True)
class Pair:
    lab: Lab
    shared: LabGuest
    local: LabGuest

    def place(self, guest: LabGuest) -> tuple[LabHost, LabHost]:
        """(where it is active, the other one)"""
        states = guest.where()
        here = next(name for name, state in states.items() if state in {"running", "paused"})
        other = next(name for name in self.lab.hosts if name != here)
        return self.lab.hosts[here], self.lab.hosts[other]

    def make_ready(self, guest: LabGuest) -> tuple[LabHost, LabHost]:
        """It runs, is defined on one host only, and nothing is in its way on the other."""
        here, other = self.place(guest)
        here.virsh("resume", guest.name, check=False)
        make_persistent(here, guest.name)
        other.virsh("undefine", guest.name, check=False)
        if guest is self.local:
            other.virsh("vol-delete", "--pool", "local", f"{guest.name}.img", check=False)
        return here, other


def make_persistent(host: LabHost, name: str) -> None:
    file = host.path(f"/run/{name}-again.xml")
    file.write_text(host.virsh("dumpxml", "--migratable", name))
    host.virsh("define", f"/run/{name}-again.xml")
    file.unlink()


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[Pair]:
    shared = lab.create_guest("mercury", SHARED, memory_mib=64, tick_ms=1000)
    local = lab.create_guest("mercury", LOCAL, memory_mib=64, tick_ms=1000, pool="local", disk_mib=16)
    yield Pair(lab, shared, local)
    for guest in (shared, local):
        lab.remove_guest(guest)


def run_line(
    name: str, source: LabHost, destination: LabHost, options: MoveOptions
) -> subprocess.CompletedProcess[str]:
    """Run on this machine. Direct control needs the destination as seen from here."""
    direct = options.control is Control.DIRECT
    address = destination.uri("tcp") if direct else destination.peer_uri("tcp")
    arguments = render_virsh_arguments(name, source.uri("tcp"), address, options)
    return subprocess.run(arguments, capture_output=True, text=True, timeout=90, check=False)


def see_effect(name: str, source: LabHost, destination: LabHost) -> Effect:
    details = destination.virsh("dominfo", name)
    return Effect(
        state=destination.virsh("domstate", name).strip(),
        persistent=bool(re.search(r"^Persistent: +yes", details, re.MULTILINE)),
        source=source.virsh("domstate", name, check=False).strip(),
    )


GONE, LEFT = Effect(), Effect(source="shut off")
DOES: list[tuple[str, dict, Effect]] = [
    (SHARED, {}, GONE),
    (SHARED, {"undefine_source": False}, LEFT),
    (SHARED, {"undefine_source": False, "persistent": False}, Effect(persistent=False, source="shut off")),
    (SHARED, {"kind": Kind.NON_LIVE}, GONE),
    (SHARED, {"kind": Kind.NON_LIVE, "suspend": True}, Effect("paused")),
    (SHARED, {"suspend": True}, Effect("paused")),
    (SHARED, {"control": Control.DIRECT}, GONE),
    (SHARED, TUNNEL, GONE),
    (SHARED, {**TUNNEL, "bandwidth_mib_per_s": 500, "auto_converge": True}, GONE),
    (SHARED, {"parallel": True, "parallel_connections": 255}, GONE),
    (SHARED, {"parallel": True, "postcopy": True}, GONE),
    (SHARED, {**XBZRLE, "compression_xbzrle_cache_bytes": 4096}, GONE),
    (
        SHARED,
        {**MT, "compression_mt_level": 0, "compression_mt_threads": 2, "compression_mt_dthreads": 2},
        GONE,
    ),
    (SHARED, {**MT, "postcopy": True}, GONE),
    (
        SHARED,
        {"auto_converge": True, "auto_converge_initial_percent": 99, "auto_converge_increment_percent": 1},
        GONE,
    ),
    (SHARED, {"bandwidth_mib_per_s": 8796093022207}, GONE),
    (SHARED, {"postcopy": True, "postcopy_after_precopy": True, "postcopy_bandwidth_mib_per_s": 900}, GONE),
    (SHARED, {"timeout_s": 100, "listen_address": "0.0.0.0", "graphics_uri": "vnc://viewers:5900"}, GONE),  # noqa: S104
    (SHARED, {"change_protection": True, "abort_on_error": True}, GONE),
    (LOCAL, COPY, GONE),
    (LOCAL, {**COPY, "migrate_disks": ("vda",), "disks_port": 49300}, GONE),
    (LOCAL, {**COPY, "synchronous_writes": True, "parallel": True}, GONE),
    (LOCAL, {**COPY, "kind": Kind.NON_LIVE, "control": Control.DIRECT}, GONE),
    (LOCAL, {**COPY, "postcopy": True}, GONE),
]


@pytest.mark.parametrize(("name", "changes", "expected"), DOES)
def test_the_line_does_what_the_options_say(pair: Pair, name, changes, expected):
    options = MoveOptions(**changes)
    assert check_options(options, name) == ()
    guest = pair.shared if name == SHARED else pair.local
    source, destination = pair.make_ready(guest)
    done = run_line(name, source, destination, options)
    assert done.returncode == 0, done.stderr
    assert see_effect(name, source, destination) == expected


REFUSED = [
    {"suspend": True, "postcopy": True},
    {"kind": Kind.NON_LIVE, "postcopy": True},
    {"postcopy_after_precopy": True},
    {"postcopy_resume": True},
    {"parallel_connections": 4},
    {"parallel": True, "parallel_connections": 256},
    {"zero_copy": True},
    {"compressed": True, "compression_xbzrle_cache_bytes": 65536},
    {**XBZRLE, "compression_xbzrle_cache_bytes": 65537},
    {"compressed": True, "compression_mt_level": 3},
    {**MT, "compression_mt_level": 10},
    {**MT, "parallel": True},
    {"auto_converge_initial_percent": 20},
    {"auto_converge": True, "auto_converge_initial_percent": 100},
    {"synchronous_writes": True},
    {**COPY, "disks_uri": "tcp://[::]:49400", "disks_port": 49401},
    {**TUNNEL, **COPY},
    {**TUNNEL, "parallel": True},
    {**TUNNEL, "postcopy": True},
    {**TUNNEL, "tls": True},
    {**TUNNEL, "migrate_uri": "tcp://10.99.0.1"},
    {**TUNNEL, "listen_address": "::"},
    {**TUNNEL, "kind": Kind.OFFLINE},
    {"kind": Kind.OFFLINE, "persistent": False, "undefine_source": False},
    {"migrate_uri": "10.99.0.1"},
    {"tls_destination": "jupiter"},
    {"persistent": False, "undefine_source": False, "persistent_xml": "<domain/>"},
]


@pytest.mark.parametrize("changes", REFUSED)
def test_what_libvirt_refuses_the_rules_refuse_before(pair: Pair, changes):
    options = MoveOptions(**changes)
    assert check_options(options, SHARED)
    source, destination = pair.make_ready(pair.shared)
    assert run_line(SHARED, source, destination, options).returncode != 0
    assert see_effect(SHARED, destination, source) == GONE


IGNORED = [
    {"migrate_disks": ("vda",)},
    {"disks_port": 49300},
    {"postcopy_bandwidth_mib_per_s": 10},
    {"bandwidth_mib_per_s": 8796093022208},
    {"rdma_pin_all": True},
    {"kind": Kind.NON_LIVE, "auto_converge": True},
]


@pytest.mark.parametrize("changes", IGNORED)
def test_what_libvirt_ignores_without_a_word_the_rules_refuse(pair: Pair, changes):
    options = MoveOptions(**changes)
    assert check_options(options, SHARED)
    source, destination = pair.make_ready(pair.shared)
    assert run_line(SHARED, source, destination, options).returncode == 0


@pytest.mark.parametrize("name", ["-dash", "--all", "a b", "o'hara", "$(x); y", "😀"])
def test_a_renamed_guest_comes_back_under_any_name(pair: Pair, name):
    """There and back, once as destination's name and once as the guest to move."""
    source, destination = pair.make_ready(pair.shared)
    there = run_line(SHARED, source, destination, MoveOptions(destination_name=name))
    assert there.returncode == 0, there.stderr
    back = run_line(name, destination, source, MoveOptions(destination_name=SHARED))
    assert back.returncode == 0, back.stderr
    assert see_effect(SHARED, destination, source) == GONE


@pytest.fixture
def console_guest(lab: Lab) -> Iterator[LabGuest]:
    """On mercury, with a VNC console that listens on mercury's own address."""
    address = lab.hosts["mercury"].address
    graphics = f"<graphics type='vnc' autoport='yes' listen='{address}' passwd='s3cret'/></devices>"
    guest = lab.create_guest(
        "mercury", "line-vnc", memory_mib=64, xml_edit=lambda xml: xml.replace("</devices>", graphics)
    )
    yield guest
    lab.remove_guest(guest)


def test_a_console_bound_to_the_source_listens_at_the_destination(lab: Lab, console_guest, tmp_path):
    """The rewritten XML is what libvirt wants, live and kept, and passwords survive it."""
    name, mercury, jupiter = console_guest.name, lab.hosts["mercury"], lab.hosts["jupiter"]
    plain = run_line(name, mercury, jupiter, MoveOptions())
    assert "Cannot assign requested address" in plain.stderr
    live = mercury.virsh("dumpxml", "--migratable", "--security-info", name)
    kept = mercury.virsh("dumpxml", "--inactive", "--security-info", name)
    rewrites = Rewrites(listen=plan_listen_rewrites(parse_domain(live), MoveOptions(), jupiter.address))
    made = render_destination_xml(MoveOptions(), rewrites, live, kept)
    assert made is not None
    for file, text in zip(XML_FILES.values(), (made.live, made.persistent), strict=True):
        (tmp_path / file).write_text(text)
    options = MoveOptions(destination_xml=made.live, persistent_xml=made.persistent)
    arguments = render_virsh_arguments(name, mercury.uri("tcp"), jupiter.peer_uri("tcp"), options)
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    for which in ([], ["--inactive"]):
        there = jupiter.virsh("dumpxml", "--security-info", *which, name)
        assert f"'{mercury.address}'" not in there
        assert f"'{jupiter.address}'" in there
        assert "s3cret" in there


def test_lines_for_a_guest_that_is_shut_off_carry_its_image_byte_for_byte(lab: Lab) -> None:
    guest = lab.create_guest("mercury", "line-off", pool="local", disk_format="qcow2", start=False)
    here, there = lab.hosts["mercury"], lab.hosts["jupiter"]
    path = str(guest.disk_path)
    volume = PlannedVolume("vda", 0, path, "local", "carried by hand.qcow2", "", "qcow2", 64 * 2**20)
    for line in render_carrying_lines(here.uri("tcp"), there.uri("tcp"), volume):
        subprocess.run(["sh", "-c", line], check=True, timeout=60)
    carried = there.path(path).with_name(volume.name)
    assert carried.read_bytes() == here.path(path).read_bytes()
    carried.unlink()
    lab.remove_guest(guest)
