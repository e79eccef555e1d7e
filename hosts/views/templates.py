"""Pool templates: the list, and the page of one with what its hosts have and what would be done there."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hosts.facts.storage import PoolFacts, parse_pool
from hosts.models import Host, HostGroup, PoolTemplate
from hosts.services import drift
from hosts.services.drift import HostDrift, State
from hosts.services.template_store import delete_template
from hosts.services.templates import hosts_of
from hosts.services.usage import users_everywhere
from hosts.views.pages import close_and_show, page

_TO_BRING_IN_LINE = frozenset({"differs", "missing", "inactive"})
_STATES: tuple[State, ...] = ("same", "differs", "inactive", "missing", "unknown")
_RUNS_SHOWN = 8


@login_required
@require_GET
def list_templates(request: HttpRequest) -> HttpResponse:
    templates = list(
        PoolTemplate.objects.defer("secrets").annotate(
            last_applied=Max("runs__asked_at", filter=Q(runs__dry=False))
        )
    )
    counted = drift.count_states(templates)
    rows = [
        {"template": item, "facts": find_facts(item), "counts": tell_counts(counted[item.pk])}
        for item in templates
    ]
    context = {"rows": rows, "has_hosts": Host.objects.exists(), "has_groups": HostGroup.objects.exists()}
    return page(request, "hosts/templates.html", context)


def find_facts(template: PoolTemplate) -> PoolFacts | None:
    """What the template says of itself, with its variables left as they are."""
    try:
        return parse_pool(template.xml)
    except ValueError:
        return None


def tell_counts(counted: Counter[State]) -> dict[str, int]:
    return {name: counted[name] for name in _STATES} | {"all": counted.total()}


@login_required
@require_GET
def show_template(request: HttpRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(PoolTemplate.objects.defer("secrets"), pk=pk)
    places = drift.find_drift(template)
    drift.request_readings(template, places)
    only = request.GET.get("only", "")
    shown = [place for place in places if only not in _STATES or place.state == only]
    context: dict[str, Any] = {
        "template": template, "facts": find_facts(template), "wanted_state": only,
        "counts": tell_counts(Counter(place.state for place in places)),
        "rows": [{"place": place, "ticked": ticked} for place, ticked in _tick(request, shown)],
        "runs": template.runs.prefetch_related("operations")[:_RUNS_SHOWN],
        "groups": template.groups.all(),
    }  # fmt: skip
    return page(request, "hosts/template.html", context)


@login_required
@require_GET
def list_guests(request: HttpRequest, pk: int) -> HttpResponse:
    """Every guest with a disk in the pool, on its hosts and wherever the same network storage is. The page asks for
    this by itself: it takes longer than all the rest."""
    template = get_object_or_404(PoolTemplate.objects.defer("secrets"), pk=pk)
    guests = {use.guest for use in users_everywhere(hosts_of(template), template.name)}
    ordered = sorted(guests, key=lambda guest: (guest.name.casefold(), guest.pk))
    return render(request, "hosts/_template_guests.html", {"template": template, "users": ordered})


def _tick(request: HttpRequest, places: list[HostDrift]) -> list[tuple[HostDrift, bool]]:
    """At first those that need it; afterwards what the person has ticked, also when the page is drawn anew."""
    if "shown" in request.GET:
        chosen = set(request.GET.getlist("hosts"))
        return [(place, str(place.host.pk) in chosen) for place in places]
    return [(place, place.state in _TO_BRING_IN_LINE) for place in places]


@login_required
@require_POST
def refresh_template(request: HttpRequest, pk: int) -> HttpResponse:
    """Read the template's hosts and the pool's definition there again, so that what is shown of them is new."""
    template = get_object_or_404(PoolTemplate, pk=pk)
    places = drift.find_drift(template)
    enabled = sum(place.host.enabled for place in places)
    drift.request_readings(template, places, anew=True)
    messages.info(request, f"{enabled} host{'s are' if enabled != 1 else ' is'} being read again.")
    return render(request, "components/_only_toasts.html")


@login_required
@require_http_methods(["GET", "POST"])
def remove_template(request: HttpRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(PoolTemplate, pk=pk)
    if request.method == "GET":
        counts = drift.count_states([template])[template.pk]
        with_pool = counts["same"] + counts["differs"] + counts["inactive"]
        return render(request, "hosts/_template_delete.html", {"template": template, "with_pool": with_pool})
    delete_template(request.user, template)
    messages.success(request, f"The template {template.name} is deleted. The pools on the hosts stay.")
    return close_and_show(reverse("hosts:templates"))
