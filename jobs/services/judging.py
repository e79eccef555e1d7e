"""Findings as they count here: the checks, hardened by the installation's policy, with what people have waived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from hosts.models import Host
from jobs.models import Waiver
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding
from jobs.preflight.registry import run_checks
from jobs.preflight.waiving import GivenWaiver, apply_waivers


def find_findings(context: PreflightContext, waivers: tuple[GivenWaiver, ...]) -> tuple[Finding, ...]:
    return apply_waivers(run_checks(context, settings.PREFLIGHT_HARDEN), waivers)


def list_waivers(domain_uuid: UUID | str, destination: Host) -> tuple[GivenWaiver, ...]:
    """Those that hold now for this guest on its way to this destination."""
    rows = Waiver.objects.valid().filter(domain_uuid=domain_uuid, destination=destination)
    return tuple(_given(row) for row in rows)


def list_waivers_of(
    domain_uuids: Collection[UUID], destinations: Collection[Host]
) -> dict[tuple[UUID, int], tuple[GivenWaiver, ...]]:
    """The same for many guests and destinations, in one query. (domain, destination) → its waivers."""
    rows = Waiver.objects.valid().filter(domain_uuid__in=domain_uuids, destination__in=destinations)
    found: dict[tuple[UUID, int], tuple[GivenWaiver, ...]] = defaultdict(tuple)
    for row in rows:
        found[row.domain_uuid, row.destination_id] += (_given(row),)
    return dict(found)


def _given(row: Waiver) -> GivenWaiver:
    return GivenWaiver(row.check_id, row.subject, _words(row))


def _words(row: Waiver) -> str:
    until = timezone.localtime(row.valid_until)
    return f"waived by {row.waived_by_name} until {until:%Y-%m-%d %H:%M}: {row.reason}"
