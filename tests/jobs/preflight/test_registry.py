"""The register: crashes and missing facts are findings, all is said at once, and quickly."""

from __future__ import annotations

import dataclasses
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hosts.facts.domain import DiskFacts, DomainFacts, DomainStatus, GuestReading
from hosts.facts.host import HostFacts
from hosts.facts.placement import MAX_CPU
from hosts.facts.storage import PoolFacts, VolumeFacts
from hosts.ports import CpuComparison, DestinationReading
from jobs.options import MoveOptions
from jobs.preflight import registry
from jobs.preflight.catalogue import BUTTONS
from jobs.preflight.context import HostSide, Neighbour, PreflightContext
from jobs.preflight.findings import Finding, FixKind, Severity
from jobs.preflight.registry import (
    CRASHED,
    NOT_EVALUATED,
    Check,
    NotEvaluated,
    list_checks,
    list_pair_checks,
    run_checks,
    run_pair_checks,
)
from tests.jobs.builders import context, copying, probe, side
from tests.jobs.preflight.write_catalogue import DOCUMENT, render_document


def only(monkeypatch, *functions, unevaluated=Severity.BLOCKER):
    """Replace all checks by these functions."""
    checks = tuple(
        Check(
            f"test.{n}",
            "A test",
            "test",
            True,
            (Severity.BLOCKER,),
            unevaluated,
            "Tell your operators.",
            function,
        )
        for n, function in enumerate(functions)
    )
    monkeypatch.setattr(registry, "list_checks", lambda: checks)


def say(severity):
    return Finding("", severity, "guest web01", "Something.")


def test_a_check_that_raises_is_a_blocker_and_the_others_still_speak(monkeypatch):
    def broken(_):
        yield say(Severity.INFO)
        raise KeyError("disks")

    only(monkeypatch, broken, lambda _: [say(Severity.WARNING)])
    found = run_checks(context())
    assert [(finding.id, finding.severity) for finding in found] == [
        (CRASHED, Severity.BLOCKER),
        ("test.1", Severity.WARNING),
        ("test.0", Severity.INFO),
    ]
    assert ("error", "KeyError: 'disks'") in found[0].evidence


def test_a_missing_fact_wanted_by_many_is_said_once_and_as_severely_as_the_strictest_wants(monkeypatch):
    def missing(_):
        raise NotEvaluated("the weather", "Look outside.")

    only(monkeypatch, missing, missing)
    (finding,) = run_checks(context())
    assert (finding.id, finding.severity) == (NOT_EVALUATED, Severity.BLOCKER)
    assert finding.evidence == (("check", "test.0"), ("check", "test.1"))
    assert finding.remedy == "Look outside."


def test_a_missing_fact_is_a_warning_where_so_registered(monkeypatch):
    def missing(_):
        yield NotEvaluated("the weather", "Look outside.")
        yield say(Severity.BLOCKER)

    only(monkeypatch, missing, unevaluated=Severity.WARNING)
    assert [finding.severity for finding in run_checks(context())] == [Severity.BLOCKER, Severity.WARNING]


def test_an_id_cannot_be_used_twice():
    assert list_checks()
    with pytest.raises(ValueError, match=r"host\.same"):
        registry.check("host.same", title="", source="", waivable=False)(lambda _: [])


def test_every_check_has_a_title_a_source_and_a_well_formed_id():
    for registered in list_checks():
        area, _, what = registered.id.partition(".")
        assert area.isalpha()
        assert what.replace("-", "").isalnum()
        assert registered.title
        assert registered.source
        assert registered.severities


def test_the_document_is_up_to_date():
    assert DOCUMENT.read_text() == render_document()


def test_the_document_has_words_for_every_remedy_and_a_line_for_every_check():
    assert set(BUTTONS) == set(FixKind)
    text = render_document()
    assert [registered.id for registered in list_checks() if text.count(f"`{registered.id}`") < 2] == []


def test_a_preflight_takes_less_than_five_milliseconds():
    contexts = [context(), copying()]
    run_checks(contexts[0])
    best = min(_time_once(contexts[n % 2]) for n in range(20))
    assert best < 0.005


def _time_once(given_context) -> float:
    started = time.perf_counter()
    run_checks(given_context)
    return time.perf_counter() - started


WORDS = st.text(max_size=8) | st.sampled_from(
    ["web01", "vda", "/a/b", "/var/lib/libvirt/images/VM/x", "10.0.0.1"]
)
SIZES = st.integers(min_value=0, max_value=2**62)


def facts_strategy(kind, **fields):
    for name in ("name", "domain_uuid", "source_path", "target_path", "path", "pool", "target"):
        if name in {field.name for field in dataclasses.fields(kind)}:
            fields.setdefault(name, WORDS)
    return st.builds(kind, **fields)


DOMAINS = facts_strategy(DomainFacts, disks=st.lists(facts_strategy(DiskFacts), max_size=3).map(tuple))
GUESTS = facts_strategy(
    GuestReading,
    facts=DOMAINS,
    status=st.builds(DomainStatus),
    extra=st.dictionaries(st.sampled_from(["unread", "checkpoints", "block_jobs"]), WORDS),
)
HOSTS = st.builds(
    HostFacts,
    cpus=st.integers(min_value=0, max_value=MAX_CPU),  # libvirt counts no more in its sets
    pools=st.lists(facts_strategy(PoolFacts), max_size=3).map(tuple),
    unread=st.just(()),
    read_at=st.none(),
)
SIDES = st.builds(HostSide, name=WORDS, facts=st.none() | HOSTS, migration_address=WORDS)
READINGS = st.builds(
    DestinationReading,
    cpu=st.builds(CpuComparison),
    volumes=st.dictionaries(WORDS, st.none() | facts_strategy(VolumeFacts), max_size=3),
)
CONTEXTS = st.builds(
    PreflightContext,
    guest=GUESTS,
    options=st.builds(MoveOptions),
    source=SIDES,
    destination=SIDES,
    neighbours=st.none() | st.lists(st.builds(Neighbour, name=WORDS), max_size=3).map(tuple),
    destination_reading=st.none() | READINGS,
    peer_probe=st.none() | st.just(probe()),
    peer_address=WORDS,
    planned_memory_bytes=SIZES,
    disk_capacity_bytes=st.dictionaries(WORDS, SIZES, max_size=2),
    planned_storage_bytes=st.dictionaries(WORDS, SIZES, max_size=2),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(CONTEXTS)
def test_no_context_makes_a_check_crash(any_context):
    found = run_checks(any_context)
    assert [finding for finding in found if finding.id == CRASHED] == []
    assert all(finding.id for finding in found)


def test_nothing_known_of_either_host_is_no_pass():
    blind = context(
        source=dataclasses.replace(side("mercury"), facts=None),
        destination=dataclasses.replace(side("jupiter"), facts=None),
        neighbours=None,
        destination_reading=None,
        peer_probe=None,
    )
    found = run_checks(blind)
    assert Severity.BLOCKER in {finding.severity for finding in found}
    assert not [finding for finding in found if finding.id == CRASHED]


def test_a_policy_hardens_warnings_of_the_checks_it_names_and_nothing_else(monkeypatch):
    only(monkeypatch, lambda _: [say(Severity.WARNING)], lambda _: [say(Severity.INFO)])
    found = run_checks(context(), harden={"test.0", "test.1"})
    assert [finding.severity for finding in found] == [Severity.BLOCKER, Severity.INFO]


def test_checks_for_pairs_do_not_look_at_the_guest():
    """Whatever the two hosts say, a pair is judged without one."""

    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError(f"a check for pairs looked at the guest's {name}")

    assert list_pair_checks()
    alike = (CpuComparison("identical"), CpuComparison("identical"))
    alone = dataclasses.replace(context(), guest=Untouchable(), host_cpus=alike)
    assert [finding.id for finding in run_pair_checks(alone)] == []
    silent = dataclasses.replace(alone, destination=side("jupiter", silent_reason="no route"))
    assert {finding.id for finding in run_pair_checks(silent)} == {"libvirt.reachable"}
