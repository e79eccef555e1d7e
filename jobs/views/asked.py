"""What a browser says when it asks about one finding: which guest, destination, finding, and options of the move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, QueryDict
from django.shortcuts import get_object_or_404

from hosts.models import Guest, Host
from jobs.forms import MoveForm
from jobs.options import MoveOptions
from jobs.services import preflight
from jobs.services.stored import read_stored


@dataclass(frozen=True, slots=True)
class Asked:
    """`options_query`: the dialog's options as it sent them, "" when it was no dialog of a move."""

    guest: Guest
    destination: Host
    check_id: str
    subject: str
    options: MoveOptions
    options_query: str


def read_asked(request: HttpRequest, guest_pk: int, destination_pk: int) -> Asked:
    """Names only; whether there is such a finding is found out from the stored readings. Raises Http404."""
    said: Mapping[str, str] = request.POST if request.method == "POST" else request.GET
    guest = get_object_or_404(Guest.objects.select_related("host"), pk=guest_pk)
    destination = get_object_or_404(Host, pk=destination_pk)
    check_id, subject = said.get("finding", "")[:60], said.get("subject", "")[:300]
    query = said.get("options", "")
    options = _options_of(guest, query) or _likely_options(guest, destination, check_id, subject)
    return Asked(guest, destination, check_id, subject, options, query)


def _options_of(guest: Guest, query: str) -> MoveOptions | None:
    if not query:
        return None
    data = QueryDict(query, mutable=True)
    data.setdefault("stays", "for-good")
    form = MoveForm(guest, data)
    return form.options if form.is_valid() else None


def _likely_options(guest: Guest, destination: Host, check_id: str, subject: str) -> MoveOptions:
    """Of what pages suggest for this move, the options under which there is such a finding."""
    suited, _ = preflight.choose(read_stored(guest.host, [guest], [destination]), guest, destination, None)
    plain = MoveOptions(kind=preflight.suggest_kind(guest))
    for options in dict.fromkeys((suited, plain)):
        findings = preflight.evaluate(guest, destination, options).findings
        if any((finding.id, finding.subject) == (check_id, subject) for finding in findings):
            return options
    return suited
