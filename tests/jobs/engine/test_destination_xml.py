"""Golden pairs: only what is bound to the source changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.facts.domain import parse_domain
from jobs.engine.destination_xml import (
    ListenRewrite,
    Rewrites,
    plan_listen_rewrites,
    render_destination_xml,
    rewrite,
)
from jobs.engine.storage_map import DiskRewrite
from jobs.options import Kind, MoveOptions

DATA = Path(__file__).parents[2] / "data" / "destination_xml"
DESTINATIONS = {"listen": "10.99.0.2", "listen-ipv6": "fd00::2"}


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
def test_golden_pair(name):
    before = (DATA / f"{name}-before.xml").read_text()
    rewrites = plan_listen_rewrites(parse_domain(before), MoveOptions(), DESTINATIONS[name])
    assert rewrite(before, Rewrites(rewrites)) == (DATA / f"{name}-after.xml").read_text()


def rewrites_for(listen: str, destination: str, **options):
    facts = parse_domain(
        "<domain type='kvm'><name>a</name><uuid>4d5e8a64-0000-4000-8000-000000000001</uuid><memory>1</memory>"
        f"<devices><graphics type='vnc'><listen type='address' address='{listen}'/></graphics></devices></domain>"
    )
    return plan_listen_rewrites(facts, MoveOptions(**options), destination)


def test_only_addresses_of_one_host_are_replaced():
    assert rewrites_for("10.99.0.1", "10.99.0.2") == (ListenRewrite("10.99.0.1", "10.99.0.2"),)
    for everywhere in ("0.0.0.0", "127.0.0.1", "::", "::1", "", "localhost", "mercury"):  # noqa: S104
        assert rewrites_for(everywhere, "10.99.0.2") == ()


def test_no_address_of_the_other_family_or_of_nobody_stands_in():
    assert rewrites_for("10.99.0.1", "fd00::2") == ()
    assert rewrites_for("10.99.0.1", "") == ()
    assert rewrites_for("10.99.0.1", "jupiter.lan") == ()
    assert rewrites_for("10.99.0.1", "10.99.0.1") == ()


def test_what_was_written_by_hand_and_offline_moves_are_left_alone():
    assert rewrites_for("10.99.0.1", "10.99.0.2", destination_xml="<domain/>") == ()
    assert rewrites_for("10.99.0.1", "10.99.0.2", kind=Kind.OFFLINE) == ()


def test_a_guest_without_a_kept_definition_gets_the_live_one():
    xml = (DATA / "listen-before.xml").read_text()
    made = render_destination_xml(
        MoveOptions(), Rewrites((ListenRewrite("10.99.0.1", "10.99.0.2"),)), xml, ""
    )
    assert made is not None
    assert made.live == made.persistent == (DATA / "listen-after.xml").read_text()


def test_unusable_xml_is_refused():
    with pytest.raises(ValueError, match="domain"):
        rewrite("<network/>", Rewrites((ListenRewrite("a", "b"),)))


DISKS = {
    "disk-other-path": DiskRewrite("vda", "file", path="/srv/fast/web 01 <new>.qcow2"),
    "disk-to-device": DiskRewrite("vda", "block", path="/dev/vg0/web01"),
    "disk-from-device": DiskRewrite("vdb", "file", path="/srv/fast/data.img"),
    "disk-other-volume": DiskRewrite("vdc", "volume", pool="fast", volume="web01-logs.qcow2"),
    "disk-whole": DiskRewrite("vda", "file", path="/srv/fast/web01.qcow2", whole=True),
    "disk-whole-same-path": DiskRewrite("vda", whole=True),
}


@pytest.mark.parametrize("name", sorted(DISKS))
def test_only_the_place_of_a_mapped_disk_changes(name):
    before = (DATA / "disk-before.xml").read_text()
    assert rewrite(before, Rewrites(disks=(DISKS[name],))) == (DATA / f"{name}-after.xml").read_text()


@pytest.mark.parametrize("name", sorted(DISKS))
def test_nothing_but_that_disk_is_another_line(name):
    """The golden pairs themselves are looked at: a line that changed belongs to the disk that was mapped."""
    before = (DATA / "disk-before.xml").read_text().splitlines()
    after = (DATA / f"{name}-after.xml").read_text().splitlines()
    gone = [line for line in before if line not in after]
    come = [line for line in after if line not in before]
    assert gone
    assert all(word in line for line in come for word in ["<disk " if "<disk " in line else "<source "])


def test_both_definitions_get_the_new_place():
    xml = (DATA / "disk-before.xml").read_text()
    made = render_destination_xml(MoveOptions(), Rewrites(disks=(DISKS["disk-other-path"],)), xml, xml)
    assert made is not None
    assert made.live == made.persistent == (DATA / "disk-other-path-after.xml").read_text()


def test_a_disk_without_a_place_is_refused():
    xml = "<domain><devices><disk type='file'><target dev='vda'/></disk></devices></domain>"
    with pytest.raises(ValueError, match="vda"):
        rewrite(xml, Rewrites(disks=(DISKS["disk-other-path"],)))
