"""What can be done with a host: read again, disable, enable, remove. Each says in words what it will do."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from hosts.errors import Refused
from hosts.models import Host
from hosts.services.inventory import request_refresh
from hosts.services.registration import disable_host, enable_host, remove_host
from hosts.views.pages import close_and_show


@login_required
@require_POST
def refresh_host(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host, pk=pk)
    if not host.enabled:
        messages.error(request, f"{host.name} is disabled and is not read. Enable it first.")
    else:
        request_refresh([host.pk])
        messages.info(request, f"{host.name} is being read again.")
    return _answer(request, reverse("hosts:detail", args=[pk]))


@login_required
@require_POST
def refresh_all(request: HttpRequest) -> HttpResponse:
    request_refresh(None)
    messages.info(request, "All enabled hosts are being read again.")
    return _answer(request, reverse("hosts:list"))


def _answer(request: HttpRequest, address: str) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "components/_only_toasts.html")
    return redirect(address)


@login_required
@require_http_methods(["GET", "POST"])
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host, pk=pk)
    if request.method == "GET":
        return render(request, "hosts/_disable.html", {"host": host})
    disable_host(host, request.user)
    messages.success(
        request, f"{host.name} is disabled: it is no longer read, and no move starts from or to it."
    )
    return close_and_show(reverse("hosts:detail", args=[pk]))


@login_required
@require_POST
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host, pk=pk)
    enable_host(host, request.user)
    messages.success(request, f"{host.name} is enabled and is being read.")
    return close_and_show(reverse("hosts:detail", args=[pk]))


@login_required
@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host, pk=pk)
    context = {"host": host, "guest_count": host.guests.filter(gone_at=None).count()}
    if request.method == "GET":
        return render(request, "hosts/_remove.html", context)
    try:
        remove_host(host, request.user)
    except Refused as refused:
        return render(request, "hosts/_remove.html", context | {"refused": refused}, status=422)
    messages.success(request, f"{host.name} is removed. Its guests were not touched.")
    return close_and_show(reverse("hosts:list"))
