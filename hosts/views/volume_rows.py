"""The volumes of one pool as a list: filtered, sorted and paged by the database, with chains and users for one page."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from hosts.models import Guest, Host, PoolContents, Volume
from hosts.services import usage
from hosts.views.pages import read_order

PAGE_SIZE = 100
SORTS = {
    "name": ("name",),
    "format": ("format", "name"),
    "capacity": ("capacity_bytes", "name"),
    "allocation": ("allocation_bytes", "name"),
    "backing": ("backing_path", "name"),
}
USES = ("used", "unused")
_DEEPEST = 20  # layers shown; images may point at each other in a ring


@dataclass(frozen=True, slots=True)
class Layer:
    """One image of a chain. `volume` None: no pool of the host has told of it."""

    path: str
    volume: Volume | None

    @property
    def name(self) -> str:
        return self.volume.name if self.volume is not None else posixpath.basename(self.path) or self.path


@dataclass(frozen=True, slots=True)
class VolumeRow:
    volume: Volume
    below: tuple[Layer, ...]  # the layer it lies on first
    guests: tuple[Guest, ...]


def volume_list(
    request: HttpRequest, host: Host, contents: PoolContents | None, pool_name: str
) -> dict[str, Any]:
    """One page of volumes by `?q= &use= &format= &sort= &page=`, with what the page needs to say so."""
    order = read_order(request, list(SORTS), "name")
    query, use = request.GET.get("q", "").strip()[:200], request.GET.get("use", "")
    wanted_format = request.GET.get("format", "")[:40]
    users = usage.users_by_path(host, pool_name)
    found = _matching(Volume.objects.filter(contents=contents), query, use, wanted_format, users)
    fields = [f"-{name}" if order.descending else name for name in SORTS[order.name]]
    volumes = Paginator(found.order_by(*fields, "pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        "volumes": volumes, "rows": view_rows(host, list(volumes), users), "order": order, "query": query, "use": use,
        "uses": USES, "wanted_format": wanted_format, "formats": _formats(contents),
        "filtered": bool(query or use or wanted_format),
    }  # fmt: skip


def view_rows(host: Host, volumes: list[Volume], users: Mapping[str, tuple[Guest, ...]]) -> list[VolumeRow]:
    known = find_layers(host, volumes)
    return [VolumeRow(item, chain_below(item, known), users.get(item.path, ())) for item in volumes]


def find_layers(host: Host, volumes: Iterable[Volume]) -> dict[str, Volume]:
    """Path → volume of every image below these, whatever pool of the host holds it. One query for each depth."""
    found: dict[str, Volume] = {}
    wanted = {backing_of(volume) for volume in volumes} - {""}
    for _ in range(_DEEPEST):
        rows = Volume.objects.filter(contents__host=host, path__in=wanted).select_related("contents")
        new = {row.path: row for row in rows if row.path not in found}
        if not new:
            break
        found |= new
        wanted = {backing_of(row) for row in new.values()} - {""} - found.keys()
    return found


def chain_below(volume: Volume, known: Mapping[str, Volume]) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    path = backing_of(volume)
    while path and len(layers) < _DEEPEST and path not in {volume.path, *(layer.path for layer in layers)}:
        layers.append(Layer(path, known.get(path)))
        path = backing_of(known[path]) if path in known else ""
    return tuple(layers)


def backing_of(volume: Volume) -> str:
    """Path of the image below, absolute; "" for none. An image may name it relative to its own folder."""
    if not volume.backing_path:
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(volume.path), volume.backing_path))


def _matching(
    volumes: QuerySet[Volume], query: str, use: str, wanted_format: str, users: Mapping[str, Any]
) -> QuerySet[Volume]:
    if query:
        volumes = volumes.filter(Q(name__icontains=query) | Q(path=query))
    if wanted_format:
        volumes = volumes.filter(format=wanted_format)
    if use == "used":
        return volumes.filter(path__in=list(users))
    return volumes.exclude(path__in=list(users)) if use == "unused" else volumes


def _formats(contents: PoolContents | None) -> list[str]:
    rows = Volume.objects.filter(contents=contents).exclude(format="")
    return sorted(rows.order_by().values_list("format", flat=True).distinct()[:20])
