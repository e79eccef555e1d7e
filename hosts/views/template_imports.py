"""Beginning a template with what exists: a pool of a host, pasted XML, a file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from hosts.forms_storage_template import MAX_XML
from hosts.models import Host
from hosts.services.contents import find_contents, request_contents
from hosts.views import template_draft as drafts
from hosts.views.pages import page
from hosts.views.pools import read_pools
from hosts.views.template_forms import show_form

_PATIENCE = timedelta(seconds=45)


@login_required
@require_http_methods(["GET", "POST"])
def import_template(request: HttpRequest) -> HttpResponse:
    """Three ways in, one way on: the form of a new template, filled in and not saved."""
    if request.method == "GET":
        return _page(request)
    if request.POST.get("way") == "host":
        return _from_host(request)
    try:
        xml, origin = _given(request)
        return _open_form(request, drafts.imported(xml), origin)
    except ValueError as refused:
        return _page(request, error=str(refused), way=request.POST.get("way", ""))


def _page(request: HttpRequest, *, error: str = "", way: str = "") -> HttpResponse:
    places = [place for row in read_pools() for place in row.places]
    places.sort(key=lambda place: (place.host.name.casefold(), place.facts.name.casefold()))
    context: dict[str, Any] = {
        "places": places,
        "error": error,
        "way": way,
        "pasted": request.POST.get("pasted", ""),
    }
    return page(request, "hosts/template_import.html", context, status=422 if error else 200)


def _given(request: HttpRequest) -> tuple[str, str]:
    """The text and where it is from. Raises ValueError in words."""
    if request.POST.get("way") != "file":
        return request.POST.get("pasted", ""), "the pasted XML"
    uploaded = request.FILES.get("file")
    if not isinstance(uploaded, UploadedFile):
        raise ValueError("Choose a file first.")
    if (uploaded.size or 0) > MAX_XML:
        raise ValueError(f"{uploaded.name} is larger than {MAX_XML // 1024} KiB; a pool's XML is not.")
    try:
        return uploaded.read().decode("utf-8-sig"), f"the file {uploaded.name}"
    except UnicodeDecodeError as error:
        raise ValueError(f"{uploaded.name} is not text in UTF-8.") from error


def _from_host(request: HttpRequest) -> HttpResponse:
    pk, _, pool = request.POST.get("place", "").partition(":")
    if not pk.isdecimal() or not pool:
        return _page(request, error="Choose a pool first.", way="host")
    return _open_pool(request, get_object_or_404(Host, pk=int(pk)), pool)


@login_required
@require_GET
def import_pool(request: HttpRequest, pk: int) -> HttpResponse:
    """Asked again while a worker reads the pool, and linked to from the pages of pools."""
    return _open_pool(request, get_object_or_404(Host, pk=pk), request.GET.get("pool", "")[:250])


def _open_pool(request: HttpRequest, host: Host, pool: str) -> HttpResponse:
    contents = find_contents(host, pool)
    if contents is not None and contents.definition_xml:
        return _open_form(request, drafts.imported(contents.definition_xml), f"{pool} on {host.name}")
    request_contents(host, pool)
    contents = find_contents(host, pool)
    asked_at = contents.asked_at if contents else None
    late = asked_at is None or timezone.now() - asked_at > _PATIENCE
    read = contents is not None and (contents.read_at is not None or bool(contents.error))
    context = {"host": host, "pool": pool, "contents": contents, "over": late or read}
    return render(request, "hosts/template_import_wait.html", context)


def _open_form(request: HttpRequest, xml: str, origin: str) -> HttpResponse:
    editor = drafts.edit_xml(xml)
    return show_form(request, editor, drafts.posted_places(QueryDict()), imported=origin)
