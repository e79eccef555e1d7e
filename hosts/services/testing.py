"""Test connection: asked by a page, done by a worker, the report fetched by the page. No view talks to a host."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict

from django.core.cache import cache

from hosts.driver.diagnose import test_connection
from hosts.facts.codec import from_data, to_data
from hosts.models import Host
from hosts.ports import ConnectionReport, ConnectionSpec
from hosts.secrets import decrypt, encrypt
from hosts.services.bells import ring
from hosts.services.connections import build_spec
from hosts.services.registration import merge_credentials

KEEP_S = 600


def request_test(host: Host, credentials: Mapping[str, str]) -> str:
    """Queue a test of a stored or not yet stored host. The request waits encrypted; the message carries a token."""
    token = secrets.token_urlsafe(16)
    host.credentials = merge_credentials(host, credentials)
    cache.set(_request_key(token), encrypt(asdict(build_spec(host))), KEEP_S)
    ring("hosts.tasks.test_connection_task", token)
    return token


def run_test(token: str) -> None:
    """What the worker does. A token whose request has expired is simply over."""
    stored = cache.get(_request_key(token))
    if stored is None:
        return
    cache.delete(_request_key(token))
    report = test_connection(ConnectionSpec(**decrypt(stored)))
    cache.set(_report_key(token), to_data(report), KEEP_S)


def find_report(token: str) -> ConnectionReport | None:
    """The report, or None while the test still runs."""
    data = cache.get(_report_key(token))
    return None if data is None else from_data(data, ConnectionReport)


def _request_key(token: str) -> str:
    return f"connection-test:{token}"


def _report_key(token: str) -> str:
    return f"connection-report:{token}"
