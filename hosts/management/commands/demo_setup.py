"""`manage.py demo_setup --lab FILE`: demo accounts, and the lab's hosts connected. FILE is `bin/lab status --json`.

Running it again changes nothing but what the lab itself changed (its keys are new each time it comes up).
"""

from __future__ import annotations

import argparse
import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from hosts.models import Host
from hosts.services.inventory import refresh_host
from hosts.services.registration import save_host

# (name, may administrate)
ACCOUNTS = (("admin", True), ("operator", False))


class Command(BaseCommand):
    help = "Make demo accounts and connect the hosts of a lab."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--lab", required=True, type=Path, metavar="FILE")
        parser.add_argument("--transport", choices=["ssh", "tcp"], default="ssh")

    def handle(self, *args: Any, **options: Any) -> None:
        lab = _read_lab(options["lab"])
        for host in lab["hosts"]:
            self._connect(host, Path(lab["folder"]) / "credentials", options["transport"])
        for name, password in make_accounts().items():
            self.stdout.write(f"account {name} password {password}")

    def _connect(self, lab_host: dict[str, Any], credentials: Path, transport: str) -> None:
        host = Host.objects.filter(name=lab_host["name"]).first() or Host(name=lab_host["name"])
        address = lab_host["address"]
        user = "root@" if transport == "ssh" else ""
        host.address = f"qemu+{transport}://{user}{address}/system"
        # Peers speak plain TCP in the lab's own network: what a test network may do and a real one should not.
        host.peer_address = f"qemu+tcp://{address}/system"
        host.migration_address = address
        host.known_hosts = _lines_for(credentials / "known_hosts", address)
        key = (credentials / "id_ed25519").read_text() if transport == "ssh" else ""
        save_host(host, credentials={"ssh_private_key": key}, actor="demo")
        if not refresh_host(host):
            raise CommandError(
                f"{host.name} does not answer: {host.contact_error} {host.contact_error_remedy}"
            )
        self.stdout.write(f"host {host.name} connected, {host.guests.present().count()} guests")


def _read_lab(path: Path) -> dict[str, Any]:
    """The first instance in the file. Raises CommandError with what is wrong."""
    try:
        data = json.loads(path.read_text())
        return dict(data[0] if isinstance(data, list) else data)
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise CommandError(
            f"{path} is no lab description: {error}. Make it with: bin/lab status --json"
        ) from error


def _lines_for(known_hosts: Path, address: str) -> str:
    lines = [
        line for line in known_hosts.read_text().splitlines() if address in line.split(" ")[0].split(",")
    ]
    return "\n".join(lines) + "\n"


def make_accounts() -> dict[str, str]:
    """Name → password. Made up once per installation and kept, so that a second start prints the same."""
    path = Path(settings.STATE_DIR) / "secrets" / "demo_accounts.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    people = get_user_model().objects
    for name, administrator in ACCOUNTS:
        known.setdefault(name, secrets.token_urlsafe(9))
        person, _ = people.get_or_create(
            username=name, defaults={"is_superuser": administrator, "is_staff": False}
        )
        if not person.check_password(known[name]):
            person.set_password(known[name])
            person.save()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(known))
    return known
