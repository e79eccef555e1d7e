"""Sharing a folder by NFS: what to type on the server, and from there into a pool template."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from hosts.facts.address import parse_address
from hosts.facts.nfs_export import NfsExport, render_export
from hosts.forms_storage import NfsForm
from hosts.models import Host
from hosts.views.pages import page


@login_required
@require_GET
def share_folder(request: HttpRequest) -> HttpResponse:
    """Form and result in one page; the address holds what was typed, so it can be sent to a colleague."""
    asked = "server" in request.GET
    form = NfsForm(request.GET if asked else None)
    hosts = Host.objects.defer("credentials", "facts_data", "probe_data")
    ticked = set(request.GET.getlist("hosts"))
    picks = [{"host": host, "ticked": str(host.pk) in ticked, "address": address_of(host)} for host in hosts]
    context: dict[str, Any] = {"form": form, "picks": picks, "export": None}
    if asked and form.is_valid():
        context["export"], context["unnamed"] = _export(form)
    if context["export"]:
        context["template_url"] = _template_url(form.cleaned_data)
    return page(request, "hosts/nfs_export.html", context)


def _export(form: NfsForm) -> tuple[NfsExport | None, list[Host]]:
    """The export, and the chosen hosts that have no address of their own to name. Errors go to their field."""
    data = form.cleaned_data
    addresses = {host: address_of(host) for host in data["hosts"]}
    clients = [*data["network"].replace(",", " ").split(), *filter(None, addresses.values())]
    unnamed = [host for host, address in addresses.items() if not address]
    try:
        return render_export(data["server"], data["folder"], clients), unnamed
    except ValueError as refused:
        form.add_error("folder" if "folder" in str(refused).casefold() else "network", str(refused))
        return None, unnamed


def _template_url(data: dict[str, Any]) -> str:
    filled = {
        "type": "netfs", "pool-name": data["pool"], "pool-source_format": "nfs", "pool-hosts": data["server"],
        "pool-source_dir": data["folder"], "pool-target_path": data["target"],
    }  # fmt: skip
    chosen = [("hosts", str(host.pk)) for host in data["hosts"]]
    return f"{reverse('hosts:template_add')}?{urlencode([*filled.items(), *chosen])}"


def address_of(host: Host) -> str:
    """How an NFS server sees this host: the address this console connects to; "" for the console's own machine."""
    try:
        return parse_address(host.address).host
    except ValueError:
        return ""
