"""`manage.py pooltemplate list|show|import|drift|apply [NAME] [--json]`

Storage pools that are kept the same on many hosts. `drift` and `import` ask the hosts; `apply` orders the same as the
browser, waits for the workers and tells each host's result; without --yes it is a dry run. Exit 0: all is well (no
host differs, every host is in line); 1: it is not, with the reason; 2: wrong use.
JSON of apply: [{"host", "outcome", "sentence", "advice", "libvirt", "steps": [{"step", "state", "words"}]}]; of drift:
[{"host", "state", "differences": [{"element", "wanted", "actual"}], "needs_stop", "users", "words"}].
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from hosts.facts.pool_template import check_template, import_xml
from hosts.facts.storage import parse_pool
from hosts.management import template_arguments as arguments
from hosts.management.template_arguments import WrongUse
from hosts.models import OperationOutcome, PoolTemplate, StorageOperation
from hosts.services import contents, inventory, templates
from hosts.services.drift import HostDrift, find_drift
from hosts.services.storage_waiting import wait_until_over
from hosts.services.template_store import NameTaken, TemplateDraft, save_template

GOOD = (OperationOutcome.DONE, OperationOutcome.NOT_NEEDED)


class Failed(Exception):
    """Exit code 1, with the reason."""


class Command(BaseCommand):
    help = "Storage pools that are kept the same on many hosts."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_arguments(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            sys.exit(getattr(self, f"_{given['action']}")(given))
        except WrongUse as error:
            self.stderr.write(str(error))
            sys.exit(arguments.WRONG_USE)
        except Failed as error:
            self.stderr.write(str(error))
            sys.exit(1)

    def _list(self, given: dict[str, Any]) -> int:
        found = [(template, find_drift(template)) for template in PoolTemplate.objects.all()]
        data = [
            {
                "name": template.name,
                "version": template.version,
                "hosts": {item.host.name: item.state for item in drift},
            }
            for template, drift in found
        ]
        lines = [f"{template.name}: {_count(drift)}" for template, drift in found]
        self._print(given, data, lines or ["There are no pool templates."])
        return 0

    def _show(self, given: dict[str, Any]) -> int:
        template = arguments.find_template(given["name"])
        values = {host.name: templates.values_for(template, host) for host in templates.hosts_of(template)}
        data = {
            "name": template.name, "version": template.version, "note": template.note, "xml": template.xml,
            "autostart": template.autostart, "hosts": values, "secrets": sorted(template.secrets or {}),
        }  # fmt: skip
        hosts = [
            f"{name}: {', '.join(f'{key}={value}' for key, value in told.items())}"
            for name, told in values.items()
        ]
        head = (
            f"{template.name}, version {template.version}, autostart {'on' if template.autostart else 'off'}"
        )
        self._print(given, data, [head, template.xml, *hosts])
        return 0

    def _import(self, given: dict[str, Any]) -> int:
        hosts, groups = arguments.find_hosts(given["host"]), arguments.find_groups(given["group"])
        xml = _read_definition(given)
        name = parse_pool(xml).name
        draft = TemplateDraft(name, xml, autostart=not given["no_autostart"], hosts=hosts, groups=groups)
        try:
            saved = save_template(None, draft)
        except NameTaken as error:
            raise Failed(f"There is a template {name} already. Nothing was changed.") from error
        self._print(
            given, {"name": saved.name, "version": saved.version}, [f"The template {saved.name} is made."]
        )
        return 0

    def _drift(self, given: dict[str, Any]) -> int:
        template = arguments.find_template(given["name"])
        chosen = {host.pk for host in arguments.chosen_hosts(template, given["host"])}
        for host in templates.hosts_of(template):
            if host.pk in chosen and host.enabled and inventory.refresh_host(host):
                contents.read_contents(host, template.name)
        found = find_drift(template, chosen)
        self._print(given, [_drift_data(item) for item in found], [_drift_line(item) for item in found])
        return 0 if all(item.state == "same" for item in found) else 1

    def _apply(self, given: dict[str, Any]) -> int:
        template = arguments.find_template(given["name"])
        hosts = arguments.chosen_hosts(template, given["host"])
        confirmed = {host.pk: given["confirm_name"] for host in hosts}
        run = templates.apply(None, template, hosts, dry=not given["yes"], confirmed=confirmed)
        ended = wait_until_over(run)
        lines = [line for operation in ended for line in _result_lines(operation)]
        if run.dry:
            lines.append("This was a dry run: add --yes to do it.")
        self._print(given, [_result_data(operation) for operation in ended], lines)
        return 0 if all(operation.outcome in GOOD for operation in ended) else 1

    def _print(self, given: dict[str, Any], data: Any, lines: list[str]) -> None:
        self.stdout.write(json.dumps(data) if given["json"] else "\n".join(lines))


def _read_definition(given: dict[str, Any]) -> str:
    """As it is fit for every host. Raises WrongUse, Failed."""
    try:
        xml = import_xml(arguments.read_file(given["file"]) if given["file"] else _ask_host(given))
    except ValueError as error:
        raise Failed(f"{error} Nothing was changed.") from error
    problems = check_template(xml)
    if problems:
        told = "\n".join(f"{problem.message} {problem.remedy}" for problem in problems)
        raise Failed(f"{told}\nNothing was changed.")
    return xml


def _ask_host(given: dict[str, Any]) -> str:
    host = arguments.find_hosts([given["from_host"]])[0]
    if not given["pool"]:
        raise WrongUse("Say which pool of the host: --pool NAME.")
    read = contents.read_contents(host, given["pool"])
    if not read.definition_xml:
        raise Failed(f"{read.error or 'The pool has no definition.'} {read.error_remedy}".strip())
    return read.definition_xml


def _count(drift: list[HostDrift]) -> str:
    states = [item.state for item in drift]
    told = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return ", ".join(told) or "no hosts"


def _drift_data(item: HostDrift) -> dict[str, Any]:
    return {
        "host": item.host.name, "state": item.state, "differences": [asdict(change) for change in item.differences],
        "needs_stop": item.needs_stop, "users": [use.guest.name for use in item.users], "words": item.words,
    }  # fmt: skip


def _drift_line(item: HostDrift) -> str:
    changes = [
        f"    {change.element}: {change.actual or '-'} → {change.wanted or '-'}"
        for change in item.differences
    ]
    return "\n".join([f"{item.host.name}: {item.state}. {item.words}", *changes])


def _result_data(operation: StorageOperation) -> dict[str, Any]:
    return {
        "host": operation.host.name, "outcome": operation.outcome, "sentence": operation.sentence,
        "advice": operation.advice, "libvirt": operation.libvirt_text, "steps": operation.steps_data,
    }  # fmt: skip


def _result_lines(operation: StorageOperation) -> list[str]:
    steps = [f"    {row['step']}: {row['state']}. {row['words']}" for row in operation.steps_data]
    ending = f"    → {operation.advice}" if operation.advice else ""
    return list(filter(None, [f"{operation.host.name}: {operation.sentence}", *steps, ending]))
