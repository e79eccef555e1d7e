"""Arguments of `preflight` and `move`: made from the one option table, so that no option is forgotten."""

from __future__ import annotations

import argparse
import uuid
from pathlib import Path
from typing import Any

from hosts.facts.domain import DomainState
from hosts.models import Guest, Host
from jobs.options import OPTIONS, Group, InvalidOptions, Kind, MoveOptions, Option, Value, parse_options
from jobs.services.fresh import read_hosts, read_pair_anew

WRONG_USE = 2


class WrongUse(Exception):
    """The command was called with something that cannot be: exit code 2. The text says what, where and what next."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("guest", help="Name or UUID of the guest.")
    parser.add_argument("--source", required=True, metavar="HOST", help="The host it is on.")
    parser.add_argument("--destination", required=True, metavar="HOST", help="The host it goes to.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object instead of sentences.")
    groups: dict[Group, Any] = {}
    for option in OPTIONS:
        group = groups.setdefault(option.group, parser.add_argument_group(option.group.value))
        _add(group, option)
    parser.add_argument(
        "--confirm-name", dest="confirmed_name", default=argparse.SUPPRESS, metavar="NAME",
        help="The guest's name again, for choices that can lose something.",
    )  # fmt: skip


def read_options(arguments: dict[str, Any]) -> MoveOptions:
    """The options that were given; the rest has its default. Raises WrongUse."""
    fields = {option.field for option in OPTIONS} | {"confirmed_name"}
    given = {name: value for name, value in arguments.items() if name in fields and value is not None}
    try:
        return parse_options(given)
    except InvalidOptions as error:
        raise WrongUse("; ".join(f"{flag_of(e.field)}: {e.message}" for e in error.errors)) from error


def read_request(arguments: dict[str, Any]) -> tuple[Guest, Host, MoveOptions]:
    """The guest as just read on the source, the destination, the options. Raises WrongUse."""
    source, destination = (_find_host(arguments[key]) for key in ("source", "destination"))
    if source == destination:
        raise WrongUse(
            f"Source and destination are the same host ({source.name}): choose two different ones."
        )
    read_options(arguments)  # wrong use is said before any host is asked
    read_hosts(source, destination)
    guest = read_pair_anew(_find_guest(arguments["guest"], source), destination)
    return guest, destination, read_options({"kind": default_kind(guest)} | arguments)


def default_kind(guest: Guest) -> str:
    """What fits the guest as it is: nothing runs in a paused guest, so that it need not be moved live."""
    fitting = {DomainState.SHUT_OFF: Kind.OFFLINE, DomainState.PAUSED: Kind.NON_LIVE}
    return fitting.get(DomainState(guest.state), Kind.LIVE).value


def flag_of(field: str) -> str:
    return "--confirm-name" if field == "confirmed_name" else "--" + field.replace("_", "-")


def _add(group: Any, option: Option) -> None:
    help_text = option.help + (f" Unit: {option.unit}." if option.unit else "")
    # argparse reads % as a placeholder, and one of the units is %.
    extra: dict[str, Any] = {
        "dest": option.field,
        "default": argparse.SUPPRESS,
        "help": help_text.replace("%", "%%"),
    }
    flag = flag_of(option.field)
    if option.value is Value.SWITCH:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **extra)
    elif option.value is Value.CHOICE:
        group.add_argument(flag, choices=[choice.value for choice in option.choices], **extra)
    elif option.value is Value.NUMBER:
        group.add_argument(flag, type=int, metavar="N", **extra)
    elif option.field == "storage_map":  # volumes may have commas in their names
        group.add_argument(flag, action="append", metavar="TARGET=POOL[/VOLUME]", **extra)
    elif option.value is Value.NAMES:
        group.add_argument(flag, type=_names, metavar="NAME,…", **extra)
    elif option.value is Value.XML:
        group.add_argument(flag, type=_file_text, metavar="FILE", **extra)
    else:
        group.add_argument(flag, metavar="TEXT", **extra)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _file_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {error}") from error


def _find_host(name: str) -> Host:
    host = Host.objects.filter(name=name).first()
    if host is None:
        known = ", ".join(Host.objects.values_list("name", flat=True)[:20]) or "none yet"
        raise WrongUse(f'There is no host "{name}". Known hosts: {known}.')
    return host


def _find_guest(name: str, source: Host) -> Guest:
    guests = Guest.objects.present().filter(host=source).select_related("host")
    by_uuid = _uuid(name)
    guest = guests.filter(name=name).first()
    if guest is None and by_uuid is not None:
        guest = guests.filter(domain_uuid=by_uuid).first()
    if guest is None:
        raise WrongUse(f'{source.name} has no guest "{name}"{_elsewhere(name)}.')
    return guest


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _elsewhere(name: str) -> str:
    other = Guest.objects.present().filter(name=name).select_related("host").first()
    return f"; it is on {other.host.name}" if other is not None else ""
