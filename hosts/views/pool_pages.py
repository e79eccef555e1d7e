"""The page of one pool on one host: figures, volumes, guests, definition, and what was ordered."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from hosts.facts.storage import PoolFacts
from hosts.models import Host, PoolContents, PoolTemplate, StorageOperation, Volume
from hosts.services import usage
from hosts.services.contents import find_contents, is_fresh, request_contents
from hosts.services.inventory import request_refresh
from hosts.views.operations import operations_context
from hosts.views.pages import page
from hosts.views.pools import PoolOnHost
from hosts.views.volume_rows import volume_list

TABS = ("volumes", "guests", "definition")


@login_required
@require_GET
def show_pool(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    facts, contents = usage.find_pool(host, name), find_contents(host, name)
    if facts is None and contents is None and not _was_ordered(host, name):
        raise Http404
    if facts is not None and facts.active and not is_fresh(contents) and request_contents(host, name):
        contents = find_contents(host, name)
    context = pool_context(host, name, facts, contents)
    if _asks_for(request, "pool-live"):
        return page(request, "hosts/_pool_live.html", context)
    context |= _tab_context(request, host, name, contents)
    if _asks_for(request, "volume-table"):
        return page(request, "hosts/_volume_table.html", context)
    if context["tab"] != "guests":
        context["guest_count"] = len({use.guest.pk for use in usage.users_of_pool(host, name)})
    return page(request, "hosts/pool.html", context | operations_context(host, name, request.user))


def pool_context(
    host: Host, name: str, facts: PoolFacts | None, contents: PoolContents | None
) -> dict[str, Any]:
    """What the head of the pages of a pool and of its volumes needs."""
    template = PoolTemplate.objects.filter(name=name).defer("secrets").first()
    volumes = Volume.objects.filter(contents=contents)
    return {
        "host": host, "pool_name": name, "facts": facts, "contents": contents, "template": template,
        "place": PoolOnHost(host, facts) if facts is not None else None,
        "reading": contents is not None and _is_being_read(contents),
        "promised_bytes": volumes.aggregate(sum=Sum("capacity_bytes"))["sum"] if contents is not None else None,
    }  # fmt: skip


def _tab_context(
    request: HttpRequest, host: Host, name: str, contents: PoolContents | None
) -> dict[str, Any]:
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "volumes"
    context: dict[str, Any] = {"tab": tab}
    known = contents is not None and contents.read_at is not None
    context["volume_count"] = contents.volumes.count() if known and contents else None
    if tab == "volumes":
        return context | volume_list(request, host, contents, name)
    if tab == "guests":
        uses = usage.users_of_pool(host, name)
        context |= {"uses": uses, "guest_count": len({use.guest.pk for use in uses})}
    return context


def _was_ordered(host: Host, name: str) -> bool:
    """A pool that was just deleted still has a page: it says what became of it."""
    return StorageOperation.objects.filter(host=host, pool_name=name).exclude(pool_name="").exists()


def _is_being_read(contents: PoolContents) -> bool:
    return contents.asked_at is not None and not contents.error and not is_fresh(contents)


def _asks_for(request: HttpRequest, element_id: str) -> bool:
    """htmx wants this part only."""
    wanted = str(getattr(request.htmx, "target", "") or "")  # type: ignore[attr-defined]
    return bool(request.htmx) and wanted.rpartition("#")[2] == element_id  # type: ignore[attr-defined]


@login_required
@require_GET
def show_operations(request: HttpRequest, pk: int) -> HttpResponse:
    """What was ordered for a pool, or for one of its volumes. Asked again by the page itself while it goes on."""
    host = get_object_or_404(Host.objects.defer("credentials", "facts_data"), pk=pk)
    asked = request.GET.get("pool", ""), request.user, request.GET.get("volume", "")
    return render(request, "hosts/_pool_operations.html", operations_context(host, *asked))


@login_required
@require_GET
def pool_menu(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host.objects.defer("credentials"), pk=pk)
    name = request.GET.get("pool", "")
    context = {"host": host, "pool_name": name, "facts": usage.find_pool(host, name)}
    return render(request, "hosts/_pool_menu.html", context)


@login_required
@require_POST
def read_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks for a new reading of the pool's figures and volumes; what it finds arrives by itself."""
    host = get_object_or_404(Host.objects.defer("credentials"), pk=pk)
    name = request.POST.get("pool", "")
    if not host.enabled:
        messages.error(request, f"{host.name} is disabled and is not read. Enable it first.")
    else:
        request_refresh([host.pk])
        request_contents(host, name, anew=True)
        messages.info(request, f"{name} on {host.name} is being read again.")
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "components/_only_toasts.html")
    return redirect(reverse("hosts:pool", args=[pk, name]))
