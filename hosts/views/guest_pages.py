"""The list of guests and the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from hosts.models import Guest, Host
from hosts.services.inventory import request_refresh
from hosts.views.guest_rows import guest_list
from hosts.views.pages import page

TABS = ("summary", "readiness", "disks", "network", "xml", "history")


@login_required
@require_GET
def list_guests(request: HttpRequest) -> HttpResponse:
    context = guest_list(request)
    if request.htmx and request.htmx.target == "guest-table":  # type: ignore[attr-defined]
        return page(request, "hosts/_guest_table.html", context)
    hosts = Host.objects.only("pk", "name")
    return page(request, "hosts/guests.html", context | {"hosts": hosts})


@login_required
@require_GET
def show_guest(request: HttpRequest, pk: int) -> HttpResponse:
    guest = get_object_or_404(Guest.objects.select_related("host"), pk=pk)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "summary"
    elsewhere = Guest.objects.present().filter(domain_uuid=guest.domain_uuid).exclude(pk=guest.pk)
    context: dict[str, Any] = {
        "guest": guest, "host": guest.host, "reading": guest.reading, "facts": guest.reading.facts,
        "tab": tab, "elsewhere": list(elsewhere.select_related("host").defer("reading_data")),
    }  # fmt: skip
    return page(request, "hosts/guest.html", context)


@login_required
@require_GET
def guest_menu(request: HttpRequest, pk: int) -> HttpResponse:
    guest = get_object_or_404(Guest.objects.defer("reading_data").select_related("host"), pk=pk)
    return render(request, "hosts/_guest_menu.html", {"guest": guest})


@login_required
@require_POST
def refresh_guest(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks for a new reading of the guest's host; what it finds arrives by itself."""
    guest = get_object_or_404(Guest.objects.defer("reading_data").select_related("host"), pk=pk)
    request_refresh([guest.host_id])
    messages.info(request, f"{guest.host.name} is being read again.")
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "components/_only_toasts.html")
    return redirect("hosts:guest", pk)
