"""Two hosts without a guest: verdicts both ways, facts side by side, and what is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import Host
from hosts.services import host_pairs
from jobs.preflight.context import NO_GUEST
from jobs.services import readiness
from jobs.services.asking import ASKED_AT_ONCE
from jobs.services.comparison import compare_hosts
from jobs.services.readiness import build_pair_context, read_pairs, read_pairs_of
from tests.jobs.builders import host_facts, local_pool, network, pool, side
from tests.jobs.services.sites import make_host, store_host_pairs

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    bells: list[tuple[str, str]] = []

    def ask(source: Host, destinations: list[Host]) -> None:
        bells.extend((source.name, destination.name) for destination in destinations)

    monkeypatch.setattr(host_pairs, "request_host_pairs", ask)
    return bells


def test_context_of_a_pair_has_both_processors_and_no_guest() -> None:
    mercury, jupiter = make_host("mercury"), make_host("jupiter")
    store_host_pairs([mercury], [jupiter])
    context = build_pair_context(mercury, jupiter, host_pairs.find_host_pair(mercury, jupiter))
    assert context.guest is NO_GUEST
    assert context.host_cpus is not None
    assert [comparison.result for comparison in context.host_cpus] == ["identical", "identical"]
    assert context.peer_probe is not None
    assert build_pair_context(mercury, jupiter, None).host_cpus is None


def test_older_version_is_said_in_one_direction_only() -> None:
    mercury, jupiter = make_host("mercury"), make_host("jupiter", library_version=8_000_000)
    store_host_pairs([mercury, jupiter], [mercury, jupiter])
    views = read_pairs_of(mercury, [jupiter])
    there, back = views[mercury.pk, jupiter.pk], views[jupiter.pk, mercury.pk]
    assert "host.versions" in {finding.id for finding in there.known}
    assert "host.versions" not in {finding.id for finding in back.known}


def test_pair_that_was_never_asked_about_is_being_checked(rung: list[tuple[str, str]]) -> None:
    mercury, jupiter = make_host("mercury"), make_host("jupiter")
    views = read_pairs_of(mercury, [jupiter])
    assert {view.state for view in views.values()} == {"checking"}
    assert sorted(rung) == [("jupiter", "mercury"), ("mercury", "jupiter")]


def test_many_pairs_take_few_queries_and_ask_for_few_readings(
    rung: list[tuple[str, str]], django_assert_max_num_queries: Any
) -> None:
    hosts = [make_host(f"host{number}") for number in range(12)]
    with django_assert_max_num_queries(1):
        views = read_pairs(hosts, hosts)
    assert len(views) == 12 * 11
    assert len(rung) == ASKED_AT_ONCE


def test_disabled_host_is_on_no_board() -> None:
    make_host("mercury")
    Host.objects.create(name="jupiter", address="qemu+tcp://jupiter/system", enabled=False)
    assert [host.name for host in readiness.list_hosts()] == ["mercury"]


def test_pools_and_networks_are_same_missing_or_different() -> None:
    here = side("mercury", host_facts("mercury", networks=(network(), network(name="dmz"))))
    other = pool(source="netfs nfs 10.0.0.9:/VM")
    there = side("jupiter", host_facts("jupiter", pools=(other,), bridges=("br0", "br1")))
    found = compare_hosts(here, there)
    assert found is not None
    assert {twin.name: twin.state for twin in found.pools} == {"VM": "differs", "local": "missing-there"}
    assert {twin.name: twin.state for twin in found.networks} == {"lan": "same", "dmz": "missing-there"}
    assert {twin.name: twin.state for twin in found.bridges} == {"br0": "same", "br1": "missing-here"}


def test_facts_differ_only_where_they_should_be_the_same() -> None:
    there = host_facts("jupiter", hypervisor_version=8_000_000, cpus=16, pools=(local_pool(),))
    found = compare_hosts(side("mercury", probe=None), side("jupiter", there))
    assert found is not None
    facts = {fact.name: fact for _, group in found.groups for fact in group}
    assert (facts["Version"].here, facts["Version"].there, facts["Version"].state) == (
        "7.2.0",
        "8.0.0",
        "differs",
    )
    assert facts["Processors"].state == "only"
    assert facts["kvm gid"].state == "unknown"


def test_host_that_was_never_read_is_not_compared() -> None:
    assert compare_hosts(side("mercury"), readiness.build_side(Host(name="jupiter"), None)) is None
