"""The plan: what libvirt is asked, what protects the switch-over, and a digest that means exactly that."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.ports import MigrateFlag
from jobs.engine.observation import build_intent
from jobs.engine.plan import Expected, SwitchOver, build_plan, complete_order, dump_plan, load_plan
from jobs.options import MoveOptions
from jobs.preflight.disks import LockClass
from tests.jobs.builders import (
    DISK_PATH,
    LOCAL_PATH,
    UUID,
    context,
    copying,
    disk,
    domain,
    guest,
    neighbour,
    nic,
    offline,
    pool,
    probe,
    side,
    status,
    with_facts,
)

SOURCE, DESTINATION = "qemu+ssh://root@mercury/system", "qemu+ssh://root@jupiter/system"
PEER = "qemu+tcp://10.99.0.2/system"
F = MigrateFlag


def plan(given_context=None, **changes):
    return build_plan(given_context or context(**changes), source_uri=SOURCE, destination_uri=DESTINATION)


def flags(**options):
    return plan(options=options).order.flags


def test_a_plain_live_move_on_locked_storage():
    made = plan()
    assert made.order.flags == {F.LIVE, F.PEER2PEER, F.PERSIST_DEST}
    assert made.order.parameters == {"migrate_uri": "tcp://10.99.0.2"}
    assert made.order.destination_uri == PEER
    assert made.order.domain_uuid == UUID
    assert (made.switch_over, made.expected, made.arrive_paused) == (
        SwitchOver.IMAGE_LOCK,
        Expected.RUNNING,
        False,
    )
    assert made.virsh_line == (
        f"virsh -c {SOURCE} migrate web01 {PEER} --live --p2p --persistent --undefinesource "
        "--migrateuri tcp://10.99.0.2"
    )


def test_the_source_definition_is_left_to_us_as_proof():
    made = plan()
    assert F.UNDEFINE_SOURCE not in made.order.flags
    assert made.undefine_source
    assert not plan(options={"undefine_source": False}).undefine_source
    assert not plan(guest=guest(status=status(persistent=False))).undefine_source


FLAG_CASES = [
    ({"kind": "non-live"}, {F.PEER2PEER, F.PERSIST_DEST}),
    ({"control": "direct"}, {F.LIVE, F.PERSIST_DEST}),
    ({"control": "tunnelled"}, {F.LIVE, F.PEER2PEER, F.TUNNELLED, F.PERSIST_DEST}),
    ({"persistent": False}, {F.LIVE, F.PEER2PEER}),
    ({"suspend": True}, {F.LIVE, F.PEER2PEER, F.PERSIST_DEST, F.PAUSED}),
    ({"tls": True, "parallel": True}, {F.LIVE, F.PEER2PEER, F.PERSIST_DEST, F.TLS, F.PARALLEL}),
    (
        {"postcopy": True, "auto_converge": True},
        {F.LIVE, F.PEER2PEER, F.PERSIST_DEST, F.POSTCOPY, F.AUTO_CONVERGE},
    ),
]


@pytest.mark.parametrize(("options", "expected"), FLAG_CASES)
def test_flags_say_what_was_chosen(options, expected):
    assert flags(**options) == expected


def test_parameters_carry_libvirts_names_and_types():
    options = {
        "bandwidth_mib_per_s": 100,
        "postcopy": True,
        "postcopy_bandwidth_mib_per_s": 50,
        "parallel": True,
        "parallel_connections": 4,
        "destination_name": "web02",
        "auto_converge": True,
        "auto_converge_initial_percent": 30,
        "compressed": True,
        "compression_methods": ["xbzrle"],
        "timeout_s": 9,
    }
    assert plan(options=options).order.parameters == {
        "bandwidth": 100,
        "bandwidth.postcopy": 50,
        "parallel.connections": 4,
        "destination_name": "web02",
        "auto_converge.initial": 30,
        "compression": ("xbzrle",),
        "migrate_uri": "tcp://10.99.0.2",
    }


def test_an_offline_move_asks_for_the_definition_and_nothing_else():
    made = plan(offline())
    assert made.order.flags == {F.OFFLINE, F.PEER2PEER, F.PERSIST_DEST}
    assert made.order.parameters == {}
    assert (made.switch_over, made.expected, made.arrive_paused) == (
        SwitchOver.NONE_NEEDED,
        Expected.SHUT_OFF,
        False,
    )


def test_copied_disks_are_always_named():
    """To libvirt an empty list means all disks, the shared ones too."""
    two = domain(disks=(disk(source_path=LOCAL_PATH), disk(target="vdb", readonly=True), disk(target="vdc")))
    made = plan(copying(guest=guest(two)))
    assert made.order.parameters["migrate_disks"] == ("vda", "vdc")
    assert "--migrate-disks vda,vdc" in made.virsh_line
    named = plan(copying(guest=guest(two), options={"migrate_disks": ["vda"]}))
    assert named.order.parameters["migrate_disks"] == ("vda",)
    assert [planned.copied for planned in named.disks] == [True, False, False]


def on(**changes):
    return context(guest=guest(domain(disks=(disk(**changes),))))


UNLOCKED = [
    ("copied", copying()),
    ("block device", on(type="block", source_path="/dev/vg/web01")),
    ("network disk", on(type="network", source_path="", network_source="rbd:pool/web01")),
    ("shareable", on(shareable=True)),
    ("unknown file system", on(source_path="/srv/web01.img")),
    ("no disk at all", context(guest=guest(domain(disks=())))),
    ("read-only disk only", on(readonly=True)),
    (
        "one locked, one not",
        context(guest=guest(domain(disks=(disk(), disk(target="vdb", source_path="/srv/web01.img"))))),
    ),
    ("CIFS", with_facts(context(), "source", pools=(pool(source="netfs cifs 10.0.0.1:VM"),))),
]


@pytest.mark.parametrize("unlocked", [case[1] for case in UNLOCKED], ids=[case[0] for case in UNLOCKED])
def test_storage_without_a_lock_arrives_paused(unlocked):
    made = plan(unlocked)
    assert made.switch_over is SwitchOver.ARRIVE_PAUSED
    assert made.arrive_paused
    assert F.PAUSED in made.order.flags
    assert "--suspend" not in made.virsh_line


def test_a_file_on_a_file_system_that_locks_is_locked():
    nfs = on(source_path="/srv/web01.img")
    nfs = dataclasses.replace(nfs, peer_probe=probe(file_systems={"/srv/web01.img": "nfs"}))
    assert [planned.lock for planned in plan(nfs).disks] == [LockClass.LOCKED]


def test_postcopy_cannot_arrive_paused_and_is_guarded_instead():
    """libvirt refuses PAUSED with POSTCOPY (code 74)."""
    made = plan(dataclasses.replace(on(source_path="/srv/x"), options=MoveOptions(postcopy=True)))
    assert made.switch_over is SwitchOver.GUARD
    assert F.PAUSED not in made.order.flags


def test_who_asked_for_a_paused_guest_gets_one():
    made = plan(dataclasses.replace(on(source_path="/srv/x"), options=MoveOptions(suspend=True)))
    assert (made.expected, made.arrive_paused) == (Expected.PAUSED, False)
    assert F.PAUSED in made.order.flags
    was_paused = plan(guest=guest(status=status("paused/user")), options={"kind": "non-live"})
    assert (was_paused.expected, was_paused.was_paused) == (Expected.PAUSED, True)


ADDRESSES = [
    ({"migration_address": "10.0.0.2"}, "tcp://10.0.0.2"),
    ({"migration_address": "10.0.0.2", "migration_ports": (49200, 49200)}, "tcp://10.0.0.2:49200"),
    ({"migration_address": "fd00::2"}, "tcp://[fd00::2]"),
    ({"migration_address": "jupiter.lan", "migration_ports": (50000, 50010)}, "tcp://jupiter.lan"),
    ({}, None),
]


@pytest.mark.parametrize(("settings", "expected"), ADDRESSES)
def test_data_goes_to_the_destinations_migration_address(settings, expected):
    made = plan(destination=side("jupiter", **settings))
    assert made.order.parameters.get("migrate_uri") == expected


def test_an_address_asked_for_wins():
    made = plan(options={"migrate_uri": "tcp://other"})
    assert made.order.parameters["migrate_uri"] == "tcp://other"


def test_the_lowest_bandwidth_holds():
    slow = side("jupiter", bandwidth_cap_mib_per_s=50)
    assert plan(destination=slow).order.parameters["bandwidth"] == 50
    assert plan(destination=slow, options={"bandwidth_mib_per_s": 20}).order.parameters["bandwidth"] == 20
    capped = plan(destination=slow, options={"bandwidth_mib_per_s": 80})
    assert capped.order.parameters["bandwidth"] == 50
    assert "--bandwidth 50" in capped.virsh_line
    assert capped.options.bandwidth_mib_per_s == 80


def test_tls_to_a_bare_address_expects_the_destinations_name():
    assert plan(options={"tls": True}).order.parameters["tls.destination"] == "jupiter"
    named = plan(options={"tls": True}, destination=side("jupiter", migration_address="jupiter.lan"))
    assert "tls.destination" not in named.order.parameters


def test_driven_from_here_the_line_shows_this_consoles_address():
    made = plan(options={"control": "direct"})
    assert made.order.destination_uri == ""
    assert f" web01 {DESTINATION} " in made.virsh_line


def test_a_name_virsh_would_take_for_an_id_is_given_as_uuid():
    assert f"migrate {UUID} " in plan(guest=guest(domain(name="17"))).virsh_line


def test_what_was_defined_there_before_is_remembered():
    assert plan().destination_defined_before is False
    assert (
        plan(neighbours=(neighbour(domain_uuid=UUID, state="shut off"),)).destination_defined_before is True
    )
    assert plan(neighbours=None).destination_defined_before is None


def test_plan_survives_json_and_keeps_its_digest():
    for made in (plan(), plan(copying()), plan(offline()), plan(destination=side("jupiter"))):
        again = load_plan(json.loads(json.dumps(dump_plan(made))))
        assert again == made
        assert again.digest == made.digest


def test_a_plan_of_another_version_is_not_taken():
    with pytest.raises(ValueError, match="version"):
        load_plan({**dump_plan(plan()), "version": 0})


def changed_ways():
    yield plan(options={"bandwidth_mib_per_s": 10})
    yield plan(options={"confirmed_name": "web01"})
    yield plan(destination=side("saturn", migration_address="10.99.0.2"))
    yield plan(guest=guest(inactive_xml="<domain><title>new</title></domain>"))
    yield plan(guest=guest(domain(vcpus=4)))
    yield plan(guest=guest(domain(disks=(disk(), disk(target="vdb")))))
    yield plan(peer_address="qemu+ssh://10.99.0.2/system")
    yield plan(guest=guest(status=status("paused/user")))


def test_whatever_changes_what_is_done_changes_the_digest():
    digests = [made.digest for made in changed_ways()]
    assert len({plan().digest, *digests}) == len(digests) + 1


def test_a_restart_of_the_guest_does_not_change_the_digest():
    restarted = guest(domain(nics=(nic(target="vnet9"),)), xml="<domain id='9'/>")
    assert plan(guest=restarted).digest == plan().digest


@given(st.builds(MoveOptions))
def test_any_options_make_a_plan_that_survives_json(options):
    made = plan(context(options=options))
    assert load_plan(json.loads(json.dumps(dump_plan(made)))) == made


def test_the_intent_is_that_of_the_plan():
    intent = build_intent(plan(copying()), call_succeeded=True)
    assert (intent.guest, intent.source, intent.destination) == ("web01", "mercury", "jupiter")
    assert intent.arrive_paused
    assert intent.call_succeeded
    assert intent.destination_defined_before is False


LISTENING = domain(graphics=(("vnc", "10.99.0.1"),))
LIVE_XML = (
    "<domain><name>web01</name><devices><graphics type='vnc' port='5900' listen='10.99.0.1' passwd='s3cret'>"
    "<listen type='address' address='10.99.0.1'/></graphics></devices></domain>"
)


def test_xml_is_added_at_the_last_moment_and_never_stored():
    made = plan(guest=guest(LISTENING))
    assert "xml" not in json.dumps(dump_plan(made)["order"])
    order = complete_order(made, live_xml=LIVE_XML, inactive_xml=LIVE_XML.replace("5900", "-1"))
    assert set(order.parameters) == {"migrate_uri", "destination_xml", "persistent_xml"}
    for name, port in (("destination_xml", "5900"), ("persistent_xml", "-1")):
        xml = order.parameters[name]
        assert "10.99.0.1" not in xml
        assert xml.count("10.99.0.2") == 2
        assert 'passwd="s3cret"' in xml
        assert f'port="{port}"' in xml


def test_nothing_is_rewritten_without_need():
    made = plan()
    assert complete_order(made, live_xml=LIVE_XML, inactive_xml=LIVE_XML) is made.order


def test_xml_by_hand_is_used_for_the_kept_definition_too():
    by_hand = "<domain><name>web01</name></domain>"
    order = complete_order(
        plan(options={"destination_xml": by_hand}), live_xml=LIVE_XML, inactive_xml=LIVE_XML
    )
    assert (order.parameters["destination_xml"], order.parameters["persistent_xml"]) == (by_hand, by_hand)
    transient = plan(options={"destination_xml": by_hand, "persistent": False, "undefine_source": False})
    assert "persistent_xml" not in complete_order(transient, live_xml="", inactive_xml="").parameters


def test_disk_sources_are_named_for_people():
    assert [planned.source for planned in plan().disks] == [DISK_PATH]
