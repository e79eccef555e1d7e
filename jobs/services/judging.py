"""Findings as they count here: the checks, hardened by the installation's policy, with what people have waived."""

from __future__ import annotations

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
    return tuple(GivenWaiver(row.check_id, row.subject, _words(row)) for row in rows)


def _words(row: Waiver) -> str:
    until = timezone.localtime(row.valid_until)
    return f"waived by {row.waived_by_name} until {until:%Y-%m-%d %H:%M}: {row.reason}"
