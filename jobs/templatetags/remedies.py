"""The addresses behind the buttons of a finding."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import template
from django.urls import reverse

from hosts.models import Guest, Host
from jobs.preflight.findings import Finding
from jobs.preflight.waiving import may_be_waived
from jobs.services.remedies import digest_fix

register = template.Library()

# Too long for an address, and may hold passwords of displays.
_LEFT_OUT = frozenset({"destination_xml", "persistent_xml", "csrfmiddlewaretoken", "destination", "reason"})


@register.simple_tag
def finding_actions(finding: Any, guest: Any, destination: Any, options_query: Any = "") -> dict[str, str]:
    """Name of an action → address of its dialog; `key` tells the buttons of a page apart, so that one keeps its
    identity when the page is drawn anew under a finger. Empty for what is only a record, or belongs to no guest."""
    if not (isinstance(finding, Finding) and isinstance(guest, Guest) and isinstance(destination, Host)):
        return {}
    place = [guest.pk, destination.pk]
    named = {"finding": finding.id, "subject": finding.subject}
    named |= {"options": short_options(options_query)} if options_query else {}
    actions = {}
    if finding.fix is not None:
        fix = {"fix": finding.fix.kind.value, "digest": digest_fix(finding.fix)}
        actions["remedy"] = f"{reverse('jobs:remedy', args=place)}?{urlencode(named | fix)}"
    if finding.waived:
        actions["withdraw"] = f"{reverse('jobs:waiver_withdraw', args=place)}?{urlencode(named)}"
    elif may_be_waived(finding):
        actions["waive"] = f"{reverse('jobs:waiver', args=place)}?{urlencode(named)}"
    return actions and {"key": _key(finding, guest, destination), **actions}


def _key(finding: Finding, guest: Guest, destination: Host) -> str:
    parts = f"{guest.pk} {destination.pk} {finding.id} {finding.subject} {finding.message}"
    return hashlib.sha256(parts.encode()).hexdigest()[:12]


@register.simple_tag
def move_dialog(guest: Guest, destination: Host, options_query: str = "") -> str:
    """The address of the migrate dialog with this destination and these options."""
    back = f"&{short_options(options_query)}" if options_query else ""
    return f"{reverse('jobs:migrate', args=[guest.pk])}?destination={destination.pk}{back}"


@register.filter
def short_options(query: Any) -> str:
    """The options of a move without what is no part of an address."""
    pairs = parse_qsl(str(query or ""), keep_blank_values=True)
    return urlencode([pair for pair in pairs if pair[0] not in _LEFT_OUT])
