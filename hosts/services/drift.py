"""Which hosts differ from a template, element by element, and what bringing them in line would do. From what was last
read: asking the hosts anew is `request_readings`, a dry run of the template asks them live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from hosts.facts.pool_drift import Difference
from hosts.facts.storage import PoolFacts
from hosts.models import Host, PoolContents, PoolTemplate
from hosts.services.contents import request_contents
from hosts.services.inventory import request_refresh
from hosts.services.pool_plan import PoolPlan, Wanted, plan_pool, tell_differences
from hosts.services.templates import TemplateIncomplete, fill_in, hosts_of, tell_values
from hosts.services.usage import Use, find_pool, name_guests, users_here
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


def find_drift(template: PoolTemplate) -> list[HostDrift]:
    """Every host that should have the pool, by name."""
    hosts = hosts_of(template)
    placements = {item.host_id: item for item in template.placements.all()}
    read = {
        item.host_id: item for item in PoolContents.objects.filter(pool_name=template.name, host__in=hosts)
    }
    return [
        _find_on_host(template, host, tell_values(host, placements.get(host.pk)), read.get(host.pk))
        for host in hosts
    ]


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


def request_readings(template: PoolTemplate) -> None:
    """Ask every host of the template anew, if what is stored is old."""
    for host in hosts_of(template):
        if request_contents(host, template.name):
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
    """The host's list says whether there is a pool, the contents how it is defined. What runs is not stored: it is
    taken for what is defined."""
    if pool is None or contents is None:
        return None
    return PoolReading(pool, contents.definition_xml, contents.definition_xml)


def _judge(host: Host, wanted: Wanted, plan: PoolPlan) -> HostDrift:
    differences = plan.differences
    if plan.autostart and not plan.missing:
        on, off = ("on", "off") if wanted.autostart else ("off", "on")
        differences = (*differences, Difference("autostart", on, off))
    users = _running_users(host, wanted.pool_name) if plan.stop else ()
    words = tell_plan(plan, wanted)
    if users:
        words += f" Running guests use it: {name_guests(users)}."
    return HostDrift(host, _state(plan, differences), differences, users, plan.stop, words, host.read_at)


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


def _running_users(host: Host, pool_name: str) -> tuple[Use, ...]:
    return tuple(use for use in users_here(host, pool_name) if use.running)


def _unknown(host: Host, why: str) -> HostDrift:
    return HostDrift(
        host, "unknown", (), (), False, f"{why} Bringing it in line asks the host first.", host.read_at
    )
