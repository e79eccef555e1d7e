"""Drift and comparison from stored readings, and how full a pool is."""

from __future__ import annotations

import pytest

from hosts.facts.pool_fill import Fill, judge_fill, used_percent
from hosts.facts.pool_secret import PoolSecret, find_pool_secret
from hosts.models import Host, HostGroup
from hosts.services.drift import HostDrift, find_drift
from hosts.services.pool_compare import compare_pool, oldest_reading
from hosts.services.templates import TemplateIncomplete, hosts_of, values_for, wanted_xml
from tests.hosts.services.storage import (
    make_guest,
    make_host,
    make_pool,
    make_template,
    make_volume,
    store,
)

pytestmark = pytest.mark.django_db
XML = "<pool type='dir'><name>VM</name><target><path>{}</path></target></pool>"


def judge(host: Host, xml: str = XML.format("/pool"), autostart: bool = True) -> HostDrift:
    return find_drift(make_template("VM", host, xml=xml, autostart=autostart))[0]


def test_same_pool_needs_nothing() -> None:
    pool = make_pool("VM")
    host = make_host("mercury", pool)
    store(host, pool, definition_xml=XML.format("/pool"))
    found = judge(host)
    assert (found.state, found.needs_stop, found.differences) == ("same", False, ())
    assert found.words.startswith("Nothing")


def test_missing_pool_says_what_is_done() -> None:
    found = judge(make_host("mercury"))
    assert found.state == "missing"
    assert found.words == "Define it, make its folder where it is missing, start it, turn autostart on."


def test_inactive_pool_is_no_difference_but_is_told() -> None:
    pool = make_pool("VM", active=False)
    host = make_host("mercury", pool)
    store(host, pool, definition_xml=XML.format("/pool"))
    assert (judge(host).state, judge_again(host)) == ("inactive", False)


def judge_again(host: Host) -> bool:
    return find_drift(host.placements.get().template)[0].needs_stop


def test_other_path_names_the_running_guests_that_stopping_would_hurt() -> None:
    pool = make_pool("VM", "/old")
    host = make_host("mercury", pool)
    store(host, pool, definition_xml=XML.format("/old"))
    make_guest(host, "web01", "/old/a.img")
    make_guest(host, "off", "/old/b.img", state="shut off")
    found = judge(host)
    assert (found.state, found.needs_stop, found.needs_confirmation) == ("differs", True, True)
    assert [use.guest.name for use in found.users] == ["web01"]
    assert found.words.startswith("Stop the pool, define it anew (target/path: /old → /pool)")


def test_pool_that_still_runs_at_its_old_path_is_not_in_line() -> None:
    pool = make_pool("VM", "/old")
    host = make_host("mercury", pool)
    store(host, pool, definition_xml=XML.format("/pool"))
    make_guest(host, "web01", "/old/a.img")
    found = judge(host)
    assert (found.state, found.needs_confirmation) == ("differs", True)
    assert found.words.startswith("Stop the pool, make its folder where it is missing, start it.")


def test_autostart_alone_is_a_difference_that_stops_nothing() -> None:
    pool = make_pool("VM", autostart=True)
    host = make_host("mercury", pool)
    store(host, pool, definition_xml=XML.format("/pool"))
    found = judge(host, autostart=False)
    assert [(item.element, item.wanted, item.actual) for item in found.differences] == [
        ("autostart", "off", "on")
    ]
    assert (found.state, found.needs_stop, found.words) == ("differs", False, "Turn autostart off.")


def test_permissions_of_what_is_mounted_are_no_drift() -> None:
    xml = (
        "<pool type='netfs'><name>VM</name><source><host name='nas'/><dir path='/srv'/><format type='nfs'/></source>"
        "<target><path>/pool</path><permissions><mode>{}</mode></permissions></target></pool>"
    )
    pool = make_pool("VM", type="netfs", source="netfs nfs nas:/srv")
    host = make_host("mercury", pool)
    store(host, pool, definition_xml=xml.format("0755"))
    assert judge(host, xml.format("0711")).state == "same"


def test_transient_pool_is_to_be_defined() -> None:
    pool = make_pool("VM", persistent=False, autostart=False)
    host = make_host("mercury", pool)
    store(host, pool, definition_xml="")
    found = judge(host, autostart=False)
    assert (found.state, found.needs_stop, found.words) == ("differs", False, "Define it anew.")


def test_what_was_never_read_is_unknown() -> None:
    new = Host.objects.create(name="new", address="qemu+ssh://new/system")
    assert judge(new).state == "unknown"
    unread = make_host("mercury", make_pool("VM"))
    template = make_template("VM2", unread, xml=XML.format("/pool").replace("VM", "VM2"))
    assert find_drift(template)[0].state == "missing"


def test_pool_whose_definition_was_not_read_and_value_that_is_missing_are_unknown() -> None:
    host = make_host("mercury", make_pool("VM"))
    assert judge(host).state == "unknown"
    host.placements.all().delete()
    host.placements.model.objects.all().delete()
    template = make_template("by-path", host, xml=XML.format("{{ host.path }}").replace("VM", "by-path"))
    found = find_drift(template)[0]
    assert (found.state, "host.path" in found.words) == ("unknown", True)


def test_hosts_come_from_groups_and_by_themselves_once() -> None:
    one, two, three = (make_host(name) for name in ("a", "b", "c"))
    group = HostGroup.objects.create(name="rack")
    group.hosts.add(one, two)
    template = make_template("VM", two)
    template.groups.add(group)
    template.placements.create(host=three, chosen=False, path="/values/only")
    assert [host.name for host in hosts_of(template)] == ["a", "b"]


def test_values_are_those_of_the_host() -> None:
    host = make_host("mercury", migration_address="10.1.1.1")
    template = make_template("VM", host, xml=XML.format("/srv/{{ host.hostname }}/{{ host.path }}"))
    template.placements.update(path="fast <disk>")
    assert values_for(template, host) == {
        "host.name": "mercury", "host.hostname": "mercury.example", "host.address": "mercury",
        "host.migration_address": "10.1.1.1", "host.uuid": "mercury", "host.path": "fast <disk>",
    }  # fmt: skip
    assert "/srv/mercury.example/fast &lt;disk&gt;" in wanted_xml(template, host)


@pytest.mark.parametrize("path", ["/etc", "/srv/../etc"])
def test_value_of_one_host_cannot_make_a_folder_of_the_system_a_pool(path: str) -> None:
    host = make_host("mercury")
    template = make_template("VM", host, xml=XML.format("{{ host.path }}"))
    template.placements.update(path=path)
    with pytest.raises(TemplateIncomplete, match="cannot be written for mercury"):
        wanted_xml(template, host)


def test_comparison_names_what_differs_and_the_volumes_that_one_host_does_not_see() -> None:
    shared = {"type": "netfs", "source": "netfs nfs nas:/srv"}
    places = [make_pool("VM", **shared), make_pool("VM", "/other", **shared, autostart=False)]
    hosts = [make_host(name, pool) for name, pool in zip(("a", "b"), places, strict=True)]
    make_host("c")
    store(hosts[0], places[0], make_volume("both"), make_volume("only-a"), definition_xml="")
    store(hosts[1], places[1], make_volume("both", allocation_bytes=1), definition_xml="")
    compared = compare_pool("VM")
    assert [row.label for row in compared.differing] == ["Path", "Autostart"]
    assert [(item.name, item.seen[1]) for item in compared.volume_differences] == [("only-a", "")]
    assert [host.name for host in compared.missing_on] == ["c"]
    assert not compared.same
    assert oldest_reading(compared) is not None


def test_folders_of_one_name_are_not_compared_by_their_volumes() -> None:
    for name in ("a", "b"):
        pool = make_pool("VM")
        store(make_host(name, pool), pool, make_volume(f"of-{name}"), definition_xml="")
    compared = compare_pool("VM")
    assert (compared.volumes_compared, compared.same) == (False, True)


@pytest.mark.parametrize(
    ("available", "active", "fill"),
    [
        (90, True, Fill.OK),
        (15, True, Fill.WARN),
        (16, True, Fill.OK),
        (5, True, Fill.ALARM),
        (0, False, Fill.UNKNOWN),
    ],
)
def test_pool_warns_before_it_is_full(available: int, active: bool, fill: Fill) -> None:
    pool = make_pool("VM", available_bytes=available, active=active)
    assert judge_fill(pool, warn_percent=85, alarm_percent=95) is fill


def test_fill_of_a_pool_without_sizes_is_not_known() -> None:
    assert used_percent(make_pool("VM", capacity_bytes=0)) is None


def test_secret_of_a_pool_is_found_by_its_kind() -> None:
    auth = "<pool type='rbd'><source><auth type='{}'><secret {}/></auth></source></pool>"
    assert find_pool_secret(auth.format("ceph", "usage='key'")) == PoolSecret("ceph", "key", "")
    assert find_pool_secret(auth.format("chap", "uuid='u'")) == PoolSecret("iscsi", "", "u")
    assert find_pool_secret(XML.format("/pool")) is None
