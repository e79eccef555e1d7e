"""Adding, changing, disabling and removing hosts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.db import models

from hosts.errors import Refused
from hosts.models import Contact, Host
from hosts.services.inventory import request_refresh, write_host
from hosts.services.live import publish_inventory

log = logging.getLogger(__name__)

CREDENTIAL_KEYS = frozenset(
    {
        "ssh_private_key",
        "probe_private_key",
        "sasl_username",
        "sasl_password",
        "tls_ca",
        "tls_certificate",
        "tls_key",
    }
)


def save_host(
    host: Host, *, credentials: Mapping[str, str], actor: Any, clear: frozenset[str] | set[str] = frozenset()
) -> Host:
    """Store a new or changed host and read it at once. An empty credential keeps the stored one."""
    host.credentials = merge_credentials(host, credentials, clear)
    host.contact = Contact.NEVER if host.pk is None else host.contact
    host.probed_at = None  # asked anew with the login as it is now
    host.save()
    log.info("%s saved the host %s.", actor, host.name)
    request_refresh([host.pk])
    publish_inventory()
    return host


def merge_credentials(
    host: Host, given: Mapping[str, str], clear: frozenset[str] | set[str] = frozenset()
) -> dict[str, str]:
    unknown = set(given) - CREDENTIAL_KEYS
    if unknown:
        raise ValueError(f"Not a credential: {', '.join(sorted(unknown))}")
    stored = {key: value for key, value in (host.credentials or {}).items() if key not in clear}
    return stored | {key: value for key, value in given.items() if value}


def accept_host_keys(host: Host, lines: list[str], actor: Any) -> None:
    """Replace the accepted SSH host keys by these known_hosts lines: a person has compared the fingerprints."""
    write_host(host, known_hosts="\n".join(lines) + "\n", probed_at=None)
    log.info("%s accepted the SSH host keys of %s.", actor, host.name)
    request_refresh([host.pk])


def disable_host(host: Host, actor: Any) -> None:
    _set_enabled(host, False)
    log.info("%s disabled the host %s.", actor, host.name)


def enable_host(host: Host, actor: Any) -> None:
    _set_enabled(host, True)
    log.info("%s enabled the host %s.", actor, host.name)
    request_refresh([host.pk])


def remove_host(host: Host, actor: Any) -> None:
    """Forget a host and its inventory; the history of moves stays. Refused while something moves from or to it."""
    busy = _active_moves(host)
    if busy:
        raise Refused(
            f"{host.name} cannot be removed: {busy} {'move is' if busy == 1 else 'moves are'} under way from or to it.",
            remedy="Wait for them to end or cancel them, then remove the host.",
        )
    host.delete()
    log.info("%s removed the host %s.", actor, host.name)
    publish_inventory()


def _set_enabled(host: Host, enabled: bool) -> None:
    write_host(host, enabled=enabled)
    publish_inventory()


def _active_moves(host: Host) -> int:
    """Asked through the relations that moves define on Host, so that this room need not know theirs."""
    related: list[models.Manager[Any]] = [getattr(host, name) for name in ("outgoing", "incoming")]
    return sum(manager.filter(ended_at=None).count() for manager in related)
