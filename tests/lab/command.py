"""The command `bin/lab`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from .host import Transport
from .lab import Lab, each, host_names
from .layout import instance_names
from .system import LabError

TRANSPORTS: tuple[Transport, ...] = ("tcp", "tls", "ssh", "libssh2", "libssh")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done, healthy. 1: refused, failed, or not healthy. 2: wrongly called."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.action(options))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/lab", description="Real libvirt hosts on this machine.")
    commands = parser.add_subparsers(required=True, metavar="up|status|down")
    up = commands.add_parser("up", help="start an instance, or repair and reuse the running one")
    up.add_argument("--name", default="demo")
    up.add_argument("--hosts", default="mercury,jupiter", help="names with commas between, or a number")
    up.add_argument("--guests", action="store_true", help="make the demo's guests, too")
    up.set_defaults(action=_up)
    status = commands.add_parser("status", help="what is up, and whether it is healthy")
    status.add_argument("--name", help="only this instance")
    status.add_argument("--json", action="store_true")
    status.set_defaults(action=_status)
    down = commands.add_parser("down", help="end an instance and remove all of it")
    which = down.add_mutually_exclusive_group()
    which.add_argument("--name", default="demo")
    which.add_argument("--all", action="store_true")
    down.set_defaults(action=_down)
    return parser


def _up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    lab = Lab.up(options.name, host_names(options.hosts))
    if options.guests:
        lab.demo_guests()
    print(f"Lab {lab.name!r} is up after {time.monotonic() - started:.1f} s.")
    _print(_description(lab))
    return 0


def _status(options: argparse.Namespace) -> int:
    names = [options.name] if options.name else instance_names()
    found = [_description(Lab.attach(name)) for name in names]
    if options.json:
        print(json.dumps(found, indent=2))
    elif not found:
        print("No lab is up. Start one: bin/lab up")
    else:
        for description in found:
            _print(description)
    return 1 if any(description["problems"] for description in found) else 0


def _down(options: argparse.Namespace) -> int:
    names = instance_names() if options.all else [options.name]
    each(lambda name: Lab.attach(name).down(), names)
    print(f"Down: {', '.join(names) or 'nothing was up'}.")
    return 0


def _description(lab: Lab) -> dict[str, Any]:
    problems = lab.problems()
    keys = lab.credentials
    return {
        "name": lab.name,
        "folder": str(lab.instance.folder),
        "console_address": lab.instance.address(254),
        "problems": problems,
        "hosts": [
            {"name": host.name, "address": host.address, "uuid": host.uuid,
             "uris": {transport: host.uri(transport) for transport in TRANSPORTS}}
            for host in lab.hosts.values()
        ],
        "guests": [
            {"name": guest.name, "address": guest.address, "disk": guest.disk_path,
             "where": {} if problems else guest.where()}
            for guest in lab.guests.values()
        ],
        "credentials": {name: str(value) for name, value in vars(keys).items()},
    }  # fmt: skip


def _print(lab: dict[str, Any]) -> None:
    print(f"\n{lab['name']}: {'HEALTHY' if not lab['problems'] else 'NOT HEALTHY'}, files in {lab['folder']}")
    for host in lab["hosts"]:
        trouble = "; ".join(lab["problems"].get(host["name"], []))
        print(f"  {host['name']:10} {host['address']:13} {host['uris']['tcp']}  {trouble}")
    if "storage" in lab["problems"]:
        print(f"  storage: {'; '.join(lab['problems']['storage'])}")
    for guest in lab["guests"]:
        places = ", ".join(f"{state} on {host}" for host, state in guest["where"].items())
        print(f"  {guest['name']:10} {guest['address']:13} {places}")


if __name__ == "__main__":
    sys.exit(main())
