"""The page of one volume: what it is, what it lies on, who uses it, and the guest that could be made of it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from hosts.facts.virt_install import render_virt_install
from hosts.models import Host, StorageOperation, Volume
from hosts.services import usage
from hosts.services.contents import find_contents
from hosts.views.operations import operations_context
from hosts.views.pages import page
from hosts.views.pool_pages import pool_context
from hosts.views.volume_rows import backing_of, chain_below, find_layers

MOST_ABOVE = 10
BACKING_OFFERED = 20


@login_required
@require_GET
def show_volume(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    pool_name, name = request.GET.get("pool", ""), request.GET.get("volume", "")
    volume = find_volume(host, pool_name, name)
    if volume is None and not _was_ordered(host, pool_name, name):
        raise Http404
    context = pool_context(host, pool_name, usage.find_pool(host, pool_name), find_contents(host, pool_name))
    context |= operations_context(host, pool_name, request.user, name) | {"volume": volume}
    if volume is not None:
        context |= _volume_context(host, volume)
    return page(request, "hosts/volume.html", context)


def _volume_context(host: Host, volume: Volume) -> dict[str, Any]:
    pool_name = volume.contents.pool_name
    uses = usage.users_of_volume(host, pool_name, volume.name)
    above = _lies_on_it(host, volume)
    line = "" if uses or above else render_virt_install(pool_name, volume.name, volume.path, volume.format)
    below = chain_below(volume, find_layers(host, [volume]))
    return {"uses": uses, "below": below, "above": above[:MOST_ABOVE], "more_above": len(above) - MOST_ABOVE,
            "virt_install": line}  # fmt: skip


def _lies_on_it(host: Host, volume: Volume) -> list[Volume]:
    """Volumes of any pool of the host whose image lies directly on this one."""
    rows = Volume.objects.filter(contents__host=host).exclude(backing_path="").select_related("contents")
    return [row for row in rows if backing_of(row) == volume.path]


def find_volume(host: Host, pool_name: str, name: str) -> Volume | None:
    rows = Volume.objects.filter(contents__host=host, contents__pool_name=pool_name, name=name)
    return rows.select_related("contents").first()


def _was_ordered(host: Host, pool_name: str, name: str) -> bool:
    """A volume that is just being made, or was just deleted, has a page: it says what becomes of it."""
    return (
        bool(name)
        and StorageOperation.objects.filter(host=host, pool_name=pool_name, volume_name=name).exists()
    )


@login_required
@require_GET
def volume_menu(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host.objects.defer("credentials"), pk=pk)
    volume = find_volume(host, request.GET.get("pool", ""), request.GET.get("volume", ""))
    if volume is None:
        raise Http404
    return render(request, "hosts/_volume_menu.html", {"host": host, "volume": volume})


@login_required
@require_GET
def offer_backing(request: HttpRequest, pk: int) -> HttpResponse:
    """Volumes of the pool whose name holds what was typed, to choose a backing file from."""
    query = request.GET.get("backing", "").strip()[:200]
    rows = Volume.objects.filter(contents__host_id=pk, contents__pool_name=request.GET.get("pool", ""))
    rows = rows.filter(name__icontains=query).order_by("name")[:BACKING_OFFERED]
    return render(request, "hosts/_volume_backing.html", {"volumes": rows})
