"""What `pooltemplate` is called with, and the words for what cannot be. Exit code 2: wrong use."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from hosts.models import Host, HostGroup, PoolTemplate
from hosts.services.templates import hosts_of

WRONG_USE = 2


class WrongUse(Exception):
    """The text says what, where and what next."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add(actions, "list", "All templates, with how many of their hosts differ.", named=False)
    _add(actions, "show", "The XML, the hosts, and their values.")
    _add_import(_add(actions, "import", "Make a template of a host's pool or of a file.", named=False))
    drift = _add(actions, "drift", "Ask every host, and say which differ and how.")
    apply = _add(actions, "apply", "Bring the hosts in line. Without --yes only say what would change.")
    for chosen in (drift, apply):
        chosen.add_argument(
            "--host", action="append", default=[], metavar="HOST", help="Only this one; repeatable."
        )
    apply.add_argument("--yes", action="store_true", help="Do it.")
    apply.add_argument(
        "--confirm-name", default="", metavar="NAME",
        help="The pool's name, to let it be stopped for a moment though running guests use it.",
    )  # fmt: skip


def _add(
    actions: argparse._SubParsersAction, name: str, text: str, *, named: bool = True
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    if named:
        parser.add_argument("name", help="The template, which is the pool's name.")
    parser.add_argument("--json", action="store_true", help="Print one JSON value instead of sentences.")
    return parser


def _add_import(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--from-host", metavar="HOST", help="The host whose pool it is made of.")
    where.add_argument(
        "--file", metavar="FILE", help="A file as pool-dumpxml writes it; - is standard input."
    )
    parser.add_argument("--pool", default="", metavar="NAME", help="The pool of --from-host.")
    parser.add_argument(
        "--host", action="append", default=[], metavar="HOST", help="Should have it; repeatable."
    )
    parser.add_argument(
        "--group", action="append", default=[], metavar="GROUP", help="Should have it; repeatable."
    )
    parser.add_argument("--no-autostart", action="store_true", help="The pool does not start with its host.")


def find_template(name: str) -> PoolTemplate:
    template = PoolTemplate.objects.filter(name=name).first()
    if template is None:
        known = ", ".join(PoolTemplate.objects.values_list("name", flat=True)[:20]) or "none yet"
        raise WrongUse(f'There is no template "{name}". Known templates: {known}.')
    return template


def find_hosts(names: Iterable[str]) -> list[Host]:
    found = {host.name: host for host in Host.objects.filter(name__in=list(names))}
    for name in names:
        if name not in found:
            known = ", ".join(Host.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise WrongUse(f'There is no host "{name}". Known hosts: {known}.')
    return [found[name] for name in dict.fromkeys(names)]


def find_groups(names: Iterable[str]) -> list[HostGroup]:
    found = {group.name: group for group in HostGroup.objects.filter(name__in=list(names))}
    for name in names:
        if name not in found:
            known = ", ".join(HostGroup.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise WrongUse(f'There is no group "{name}". Known groups: {known}.')
    return [found[name] for name in dict.fromkeys(names)]


def chosen_hosts(template: PoolTemplate, names: Collection[str]) -> list[Host]:
    """Those named, which must be hosts of the template; all of them when none is named."""
    hosts = hosts_of(template)
    mine = {host.name for host in hosts}
    for host in find_hosts(names):
        if host.name not in mine:
            raise WrongUse(
                f"{host.name} is not a host of {template.name}: {', '.join(sorted(mine)) or 'it has none'}."
            )
    chosen = [host for host in hosts if not names or host.name in names]
    if not chosen:
        raise WrongUse(f"{template.name} has no hosts. Give it some on its page.")
    return chosen


def read_file(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read: {error}") from error
