"""Which hosts differ from a template, element by element, and what bringing them in line would do. From what was last
read: asking the hosts anew is `request_readings`, a dry run of the template asks them live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from hosts.facts.pool_drift import Difference
from hosts.facts.storage import PoolFacts
from hosts.facts.xml import outer_xml, parse_xml
from hosts.models import Host, PoolContents, PoolTemplate, TemplatePlacement
from hosts.services.bells import ring
from hosts.services.contents import find_asked_or_fresh, request_contents
from hosts.services.inventory import request_refresh
from hosts.services.pool_plan import PoolPlan, Wanted, plan_pool, tell_differences
from hosts.services.templates import TemplateIncomplete, fill_in, hosts_of, hosts_of_each, tell_values
from hosts.services.usage import Use, find_pool, name_guests, users_on_each
from hosts.storage_ports import PoolReading

State = Literal["same", "differs", "missing", "inactive", "unknown"]
SAME: Final = "Nothing: it is as the template wants it."


@dataclass(frozen=True, slots=True)
class HostDrift:
    """One host. `words`: what bringing it in line would do. `needs_stop`: the pool is active as something else and is
    stopped and started for it; `users` are the running guests there that this would hurt."""

    host: Host
    state: State
    differences: tuple[Difference, ...]
    users: tuple[Use, ...]
    needs_stop: bool
    words: str
    read_at: datetime | None = None

    @property
    def needs_confirmation(self) -> bool:
        return self.needs_stop and bool(self.users)


def find_drift(template: PoolTemplate, host_ids: Collection[int] | None = None) -> list[HostDrift]:
    """Every host that should have the pool, by name. `host_ids`: only those among them."""
    hosts = [host for host in hosts_of(template) if host_ids is None or host.pk in host_ids]
    return _with_users(template, _judge_hosts(template, hosts, _read_stored([template], hosts)))


def count_states(templates: Sequence[PoolTemplate]) -> dict[int, Counter[State]]:
    """By the key of the template: how many of its hosts are in which state."""
    hosts = hosts_of_each(templates)
    stored = _read_stored(templates, {host.pk: host for some in hosts.values() for host in some}.values())
    return {
        template.pk: Counter(place.state for place in _judge_hosts(template, hosts[template.pk], stored))
        for template in templates
    }


@dataclass(frozen=True, slots=True)
class _Stored:
    """What judging needs of some templates and hosts; the keys of hosts, with those of templates or pool names."""

    placements: Mapping[tuple[int, int], TemplatePlacement]
    contents: Mapping[tuple[int, str], PoolContents]


def _read_stored(templates: Iterable[PoolTemplate], hosts: Iterable[Host]) -> _Stored:
    names, keys = {item.pk: item.name for item in templates}, [host.pk for host in hosts]
    placements = TemplatePlacement.objects.filter(template__in=names, host__in=keys)
    contents = PoolContents.objects.filter(pool_name__in=names.values(), host__in=keys)
    return _Stored(
        {(item.host_id, item.template_id): item for item in placements},
        {(item.host_id, item.pool_name): item for item in contents},
    )


def _judge_hosts(template: PoolTemplate, hosts: Iterable[Host], stored: _Stored) -> list[HostDrift]:
    return [
        _find_on_host(
            template,
            host,
            tell_values(host, stored.placements.get((host.pk, template.pk))),
            stored.contents.get((host.pk, template.name)),
        )
        for host in hosts
    ]


def _with_users(template: PoolTemplate, places: list[HostDrift]) -> list[HostDrift]:
    """Who runs there is asked of those only that would be stopped, and of all of them at once."""
    stopping = [place.host for place in places if place.needs_stop]
    found = users_on_each(stopping, template.name) if stopping else {}
    return [
        _name_users(place, tuple(use for use in found.get(place.host.pk, ()) if use.running))
        for place in places
    ]


def _name_users(place: HostDrift, users: tuple[Use, ...]) -> HostDrift:
    if not users:
        return place
    return replace(place, users=users, words=f"{place.words} Running guests use it: {name_guests(users)}.")


def _find_on_host(
    template: PoolTemplate, host: Host, values: Mapping[str, str], contents: PoolContents | None
) -> HostDrift:
    try:
        wanted = Wanted(template.name, fill_in(template, host, values), template.autostart)
    except TemplateIncomplete as error:
        return _unknown(host, str(error))
    pool = find_pool(host, template.name)
    why = _why_unknown(host, contents, pool)
    if why:
        return _unknown(host, why)
    try:
        plan = plan_pool(wanted, _stored_reading(contents, pool))
    except ValueError as error:
        return _unknown(host, f"The definition on {host.name} is not understood: {error}")
    return _judge(host, wanted, plan)


def request_readings(template: PoolTemplate, places: Iterable[HostDrift], *, anew: bool = False) -> None:
    """Call a worker to ask every host of the template anew, if what is stored of any is old. One bell for all.
    `anew`: however fresh it is."""
    enabled = [place.host.pk for place in places if place.host.enabled]
    if anew and enabled:
        ring("hosts.tasks.read_template_hosts", template.pk, 1)
        return
    if len(find_asked_or_fresh(enabled, template.name)) < len(enabled):
        ring("hosts.tasks.read_template_hosts", template.pk)


def read_hosts(template: PoolTemplate, *, anew: bool) -> None:
    """Ask each of them that was not asked just now. For workers."""
    for host in hosts_of(template):
        if request_contents(host, template.name, anew=anew):
            request_refresh([host.pk])


def _why_unknown(host: Host, contents: PoolContents | None, pool: PoolFacts | None) -> str:
    """ "" when what is stored is enough to judge by."""
    if host.facts is None:
        return f"{host.name} was never read."
    unread = dict(host.facts.unread).get("pools")
    if unread:
        return f"The pools of {host.name} could not be read: {unread}"
    if pool is not None and (contents is None or (contents.read_at is None and not contents.definition_xml)):
        return f"The definition on {host.name} was not read yet." + (f" {contents.error}" if contents else "")
    return ""


def _stored_reading(contents: PoolContents | None, pool: PoolFacts | None) -> PoolReading | None:
    """The host's list says whether there is a pool, the contents how it is defined. Of what runs only the path is
    stored: the rest is taken for what is defined."""
    if pool is None or contents is None:
        return None
    return PoolReading(pool, contents.definition_xml, _running_xml(contents.definition_xml, pool))


def _running_xml(definition_xml: str, pool: PoolFacts) -> str:
    """A pool that was defined anew and could not be stopped still runs at its old path."""
    if not pool.active or not definition_xml or not pool.target_path:
        return definition_xml
    root = parse_xml(definition_xml, root="pool")
    path = root.find("target/path")
    if path is None or (path.text or "").strip() == pool.target_path:
        return definition_xml
    path.text = pool.target_path
    return outer_xml(root)


def _judge(host: Host, wanted: Wanted, plan: PoolPlan) -> HostDrift:
    differences = plan.differences
    if plan.autostart and not plan.missing:
        on, off = ("on", "off") if wanted.autostart else ("off", "on")
        differences = (*differences, Difference("autostart", on, off))
    words = tell_plan(plan, wanted)
    return HostDrift(host, _state(plan, differences), differences, (), plan.stop, words, host.read_at)


def _state(plan: PoolPlan, differences: tuple[Difference, ...]) -> State:
    if plan.missing:
        return "missing"
    if differences or plan.define:
        return "differs"
    return "inactive" if plan.start else "same"


def tell_plan(plan: PoolPlan, wanted: Wanted) -> str:
    """What would be done, in the order in which it is done."""
    steps = []
    if plan.stop:
        steps.append("stop the pool")
    if plan.define:
        changes = f" ({tell_differences(plan.differences)})" if plan.differences else ""
        steps.append(("define it" if plan.missing else "define it anew") + changes)
    if plan.build:
        steps.append("make its folder where it is missing")
    if plan.start:
        steps.append("start it")
    if plan.autostart:
        steps.append(f"turn autostart {'on' if wanted.autostart else 'off'}")
    if not steps:
        return SAME
    text = ", ".join(steps)
    return f"{text[0].upper()}{text[1:]}."


def _unknown(host: Host, why: str) -> HostDrift:
    return HostDrift(
        host, "unknown", (), (), False, f"{why} Bringing it in line asks the host first.", host.read_at
    )
