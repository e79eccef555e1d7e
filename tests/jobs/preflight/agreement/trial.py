"""One scenario run: the preflight as a run makes it, then the same plan given to libvirt whatever it said."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from xml.etree import ElementTree

from hosts.errors import HostError
from hosts.models import Host
from hosts.services import pairs
from hosts.services.connections import borrowed
from jobs.engine.plan import Plan, build_plan, complete_order
from jobs.options import Control, MoveOptions, parse_options
from jobs.preflight.findings import Finding, Verdict, judge_findings
from jobs.services import preflight
from jobs.services.fresh import read_hosts, read_pair_anew
from tests.jobs.console import Console
from tests.jobs.preflight.agreement.bench import Bench
from tests.jobs.preflight.agreement.scenario import Outcome, Scenario
from tests.lab import Lab
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a scenario: the findings, and what libvirt did, in its own words."""

    scenario: Scenario
    findings: tuple[Finding, ...]
    outcome: Outcome
    words: str

    @property
    def verdict(self) -> Verdict:
        return judge_findings(self.findings)

    @property
    def agrees(self) -> bool:
        return (self.verdict is Verdict.BLOCKED) == (self.outcome is not Outcome.MOVED)


def run_scenario(lab: Lab, scenario: Scenario) -> Row:
    """Arrange, check, really try, look at both hosts, and leave both as they were."""
    with ExitStack() as undo:
        bench = Bench(lab, undo)
        undo.callback(bench.close)
        options = parse_options(scenario.arrange(bench) or {})
        console = _connect(bench)
        findings, plan = _check(console, bench, options)
        outcome, words = _observe(bench, plan, _move(console, bench, plan))
        return Row(scenario, findings, outcome, words)


def _connect(bench: Bench) -> Console:
    """The hosts as an administrator connected them, with what the scenario wants otherwise."""
    console = Console(bench.lab, transport="ssh")
    console.hosts = {host.name: host for host in Host.objects.all()}
    if not console.hosts:
        console.connect()
    for name, host in bench.lab.hosts.items():
        usual = {
            "migration_address": host.address,
            "peer_address": host.peer_uri("tcp").replace(name, host.address),
        }
        console.set_host(name, **(usual | bench.host_changes.get(name, {})))
    return console


def _check(console: Console, bench: Bench, options: MoveOptions) -> tuple[tuple[Finding, ...], Plan]:
    """Everything read anew, as before a run, and the plan that would be carried out."""
    source, destination = console.hosts[bench.source], console.hosts[bench.destination]
    read_hosts(source, destination)
    guest = source.guests.select_related("host").get(domain_uuid=bench.uuid)
    read_pair_anew(guest, destination)
    evaluation = preflight.evaluate(guest, destination, options)
    context = preflight.build_context(guest, destination, options, pairs.find_pair(guest, destination))
    return evaluation.findings, build_plan(
        context, source_uri=source.address, destination_uri=destination.address
    )


def _move(console: Console, bench: Bench, plan: Plan) -> str:
    """The driver's own call, without asking the preflight; libvirt's text when it reports an error, else ""."""
    with borrowed(console.hosts[bench.source]) as here, borrowed(console.hosts[bench.destination]) as there:
        guest = here.find_guest(bench.uuid)
        assert guest is not None
        order = complete_order(
            plan,
            live_xml=guest.read_xml(secure=True, migratable=True),
            inactive_xml=guest.read_xml(secure=True, inactive=True),
        )
        try:
            guest.transfer(order, there if plan.options.control is Control.DIRECT else None)
        except HostError as error:
            return error.libvirt_text or error.message
    return ""


def _observe(bench: Bench, plan: Plan, error: str) -> tuple[Outcome, str]:
    """Which host has the guest, in which state, and with all that it had?"""
    here, there = bench.state(bench.source), bench.state(bench.destination)
    if error:
        if here == bench.wants_state:
            return Outcome.REFUSED, error
        return Outcome.BROKEN, f"{error} (then {here or 'gone'} here, {there or 'not there'} there)"
    if plan.expected == "shut off":
        return (Outcome.MOVED, "") if there else (Outcome.BROKEN, "no definition at the destination")
    if there not in {"running", "paused"} or here in {"running", "paused"}:
        return Outcome.BROKEN, f"{here or 'gone'} here, {there or 'not there'} there"
    if plan.arrive_paused:
        bench.find(bench.destination).resume()
        wait_until(lambda: bench.state(bench.destination) != "paused", 10, "the guest runs on")
    lost = _lost(bench, plan)
    return (Outcome.BROKEN, lost) if lost else (Outcome.MOVED, "")


def _lost(bench: Bench, plan: Plan) -> str:
    """What the guest had at the source and has no more."""
    root = ElementTree.fromstring(bench.find(bench.destination).XMLDesc())  # noqa: S314 (libvirt's own)
    now = {value for source in root.iterfind("devices/disk/source") for value in source.attrib.values()}
    missing = sorted(
        disk.source for disk in plan.disks if disk.source.startswith("/") and disk.source not in now
    )
    if missing and not plan.options.destination_xml:
        return f"the guest arrived without {', '.join(missing)}"
    for path, mark in bench.marks.items():
        if any(disk.source == path for disk in plan.disks) and bench.read_mark(bench.there, path) != mark:
            return f"the guest has another file under {path}"
    return ""
