"""Checks of a deployment that are about preflight: a policy that names no check protects nobody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from jobs.preflight.registry import find_check


@checks.register("jobs")
def check_hardened_ids(app_configs: Any, **_: Any) -> Iterable[CheckMessage]:
    for check_id in settings.PREFLIGHT_HARDEN:
        if find_check(check_id) is None:
            yield Error(
                f"VM_MIGRATE_PREFLIGHT_HARDEN names no preflight check: {check_id}",
                hint="docs/checks.md lists them all.",
                id="jobs.E001",
            )
