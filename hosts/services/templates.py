"""Pool templates on hosts: which hosts, with which values, applied side by side.

Each host gets an order of its own; what is wrong with one is said there and stops no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from django.utils import timezone

from hosts.facts.address import parse_address
from hosts.facts.pool_template import TemplateProblem, check_template
from hosts.facts.pool_variables import fill
from hosts.facts.storage import parse_pool
from hosts.models import (
    Host,
    HostGroup,
    OperationOutcome,
    PoolTemplate,
    StorageOperation,
    StorageRun,
    TemplatePlacement,
)
from hosts.services.audit import record_action
from hosts.services.probing import peer_address
from hosts.services.storage_kinds import OperationKind, StorageRefused
from hosts.services.storage_orders import order, refuse_under_way


class TemplateIncomplete(ValueError):
    """The template cannot be filled in for this host; the text says what is missing and where to give it."""


def hosts_of(template: PoolTemplate) -> list[Host]:
    """Those of its groups and those chosen by themselves, by name."""
    return hosts_of_each([template])[template.pk]


def hosts_of_each(templates: Iterable[PoolTemplate]) -> dict[int, list[Host]]:
    """The same for many templates at once, by the key of the template."""
    wanted: dict[int, set[int]] = {template.pk: set() for template in templates}
    chosen = TemplatePlacement.objects.filter(template__in=wanted, chosen=True)
    grouped = HostGroup.objects.filter(templates__in=wanted).exclude(hosts=None)
    pairs = chain(
        chosen.values_list("template_id", "host_id"), grouped.values_list("templates", "hosts").order_by()
    )
    for template_id, host_id in pairs:
        if template_id in wanted:
            wanted[template_id].add(host_id)
    hosts = Host.objects.filter(pk__in=set().union(*wanted.values())).order_by("name")
    found = list(hosts.defer("credentials", "known_hosts", "probe_data"))
    return {pk: [host for host in found if host.pk in keys] for pk, keys in wanted.items()}


def values_for(template: PoolTemplate, host: Host) -> dict[str, str]:
    """What the variables stand for on this host; what is not known is left out, so that filling in names it."""
    return tell_values(host, TemplatePlacement.objects.filter(template=template, host=host).first())


def tell_values(host: Host, placement: TemplatePlacement | None) -> dict[str, str]:
    """The same, for who has read all placements at once."""
    facts = host.facts
    values = {
        "host.name": host.name,
        "host.hostname": facts.hostname if facts is not None else "",
        "host.address": _host_in(host.address),
        "host.migration_address": host.migration_address or _peer_host(host),
        "host.uuid": facts.host_uuid if facts is not None else "",
        "host.path": placement.path if placement is not None else "",
        "host.device": placement.device if placement is not None else "",
    }
    return {name: value for name, value in values.items() if value}


def wanted_xml(template: PoolTemplate, host: Host) -> str:
    """The pool's definition on this host. Raises TemplateIncomplete (a ValueError)."""
    return fill_in(template, host, values_for(template, host))


def fill_in(template: PoolTemplate, host: Host, values: Mapping[str, str]) -> str:
    try:
        xml = fill(template.xml, values)
        name, problems = _read_filled(xml)
    except ValueError as error:
        raise TemplateIncomplete(f"{template.name} cannot be written for {host.name}: {error}") from error
    if name != template.name:
        raise TemplateIncomplete(
            f"The definition names the pool {name!r}, the template is called {template.name!r}."
        )
    # The template was checked when it was saved; what a host's own values make of it was not.
    for problem in problems:
        raise TemplateIncomplete(
            f"{template.name} cannot be written for {host.name}: {problem.message} {problem.remedy}".strip()
        )
    return xml


@lru_cache(maxsize=256)
def _read_filled(xml: str) -> tuple[str, tuple[TemplateProblem, ...]]:
    """Its name, and what is wrong with it. Most templates are the same text on every host."""
    return parse_pool(xml).name, check_template(xml)


def apply(
    actor: Any, template: PoolTemplate, hosts: Iterable[Host], *, dry: bool = False,
    confirmed: Mapping[int, str] | None = None,
) -> StorageRun:  # fmt: skip
    """One order for each host. `dry`: only look. `confirmed`: by host, the pool's name as typed where guests use it."""
    run = StorageRun.objects.create(
        template=template, template_name=template.name, template_version=template.version, dry=dry, asked_by=actor,
        asked_by_name=actor.get_username() if actor is not None else "command line",
    )  # fmt: skip
    for host in hosts:
        _order(run, template, host, actor, (confirmed or {}).get(host.pk, ""))
    return run


def retry(actor: Any, operation: StorageOperation, *, confirmed: str = "") -> StorageOperation:
    """The same host again, in the same run, with the template as it is now. Raises StorageRefused."""
    run = operation.run
    if run is None or run.template is None:
        raise StorageRefused("The template is gone, so that nothing can be applied.", "Apply another one.")
    if operation.ended_at is None:
        raise refuse_under_way(operation)
    under_way = run.operations.filter(host=operation.host, ended_at=None).first()
    if under_way is not None:
        raise refuse_under_way(under_way)
    return _order(run, run.template, operation.host, actor, confirmed)


def _host_in(address: str) -> str:
    """Name or number of the machine in a connection address; "" for this very machine, and for what cannot be read."""
    try:
        return parse_address(address).host
    except ValueError:
        return ""


def _peer_host(host: Host) -> str:
    """A host whose address cannot be read must not hide what is known of the others."""
    try:
        return _host_in(peer_address(host))
    except ValueError:
        return ""


def _order(
    run: StorageRun, template: PoolTemplate, host: Host, actor: Any, confirmed: str
) -> StorageOperation:
    common = {"template": template.pk, "version": template.version, "autostart": template.autostart}
    arguments: dict[str, Any] = {**common, "dry": run.dry}
    try:
        arguments["xml"] = wanted_xml(template, host)
        return order(
            actor, host, OperationKind.APPLY, template.name, arguments=arguments, run=run, confirmed=confirmed
        )
    except TemplateIncomplete as error:
        refused = StorageRefused(
            f"{error} Nothing was changed.",
            "Correct the template, or its values for this host, then try again.",
        )
        record_action(
            actor, "storage.apply", f"pool {template.name} on {host.name}", refused.message, outcome="refused"
        )
        return _refused(run, host, actor, arguments, refused)
    except StorageRefused as error:
        return _refused(run, host, actor, arguments, error)


def _refused(
    run: StorageRun, host: Host, actor: Any, arguments: dict[str, Any], error: StorageRefused
) -> StorageOperation:
    """A row that has ended already, so that every host of the run has its result."""
    now = timezone.now()
    return StorageOperation.objects.create(
        run=run, host=host, kind=OperationKind.APPLY, pool_name=run.template_name, arguments_data=arguments,
        asked_by=actor, asked_by_name=actor.get_username() if actor is not None else "command line",
        asked_at=now, ended_at=now, outcome=OperationOutcome.REFUSED, sentence=error.message, advice=error.advice,
    )  # fmt: skip
