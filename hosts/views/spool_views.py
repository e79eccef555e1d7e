"""Files between a browser and a worker: an upload in slices that can be gone on with, a download in pieces.

The browser's part is static/js/upload.js. Every address here belongs to the person who began it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, BinaryIO

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hosts.models import Host, OperationOutcome, StorageOperation
from hosts.services import spool, storage_orders, usage
from hosts.services.contents import find_contents
from hosts.services.spool import SpoolFile, SpoolRefused
from hosts.services.storage_kinds import OperationKind, StorageRefused
from hosts.views.operations import view_operation
from hosts.views.pool_actions import find_refusal
from hosts.views.virsh_lines import virsh_lines
from hosts.views.volume_forms import UploadForm

PIECE_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{0,19})")


@login_required
@require_http_methods(["GET", "POST"])
def upload_volume(request: HttpRequest, pk: int) -> HttpResponse:
    """The dialog, and the begin of an upload: checked before the first byte is sent. `into`: a volume that is there."""
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    said = request.POST if request.method == "POST" else request.GET
    pool_name, into = said.get("pool", ""), said.get("into", "")
    facts = usage.find_pool(host, pool_name)
    if facts is None:
        raise Http404
    lines = virsh_lines(OperationKind.VOLUME_UPLOAD, pool_name, into or said.get("name", ""), _typed(said))
    if request.GET.get("preview"):
        return render(request, "hosts/_volume_lines.html", {"lines": lines})
    form = UploadForm(
        request.POST or None, contents=find_contents(host, pool_name), pool_type=facts.type, into=into
    )
    context: dict[str, Any] = {"host": host, "pool_name": pool_name, "form": form, "into": into}
    context["refused"] = find_refusal(_draft(host, pool_name, into)) if into else None
    if request.method == "POST" and form.is_valid() and context["refused"] is None:
        try:
            return _begin(request, host, pool_name, form)
        except SpoolRefused as refused:
            context["refused"] = {"message": refused.message, "advice": refused.remedy}
    context |= {"lines": lines, "room_bytes": spool.largest_bytes()}
    return render(
        request, "hosts/_volume_upload.html", context, status=422 if request.method == "POST" else 200
    )


def _owner(request: HttpRequest) -> int:
    """The person: every address here asks for a login."""
    return int(request.user.pk or 0)


def _typed(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is chosen so far. A raw file is as large as its volume; of a qcow2 one only qemu-img can tell."""
    size, chosen = str(said.get("file_size", "")), str(said.get("format", "qcow2"))[:40]
    capacity = int(size) if size.isdecimal() and chosen != "qcow2" else 0
    return {
        "create": not said.get("into"),
        "format": chosen,
        "file": said.get("file_name"),
        "capacity_bytes": capacity,
    }


def _draft(host: Host, pool_name: str, into: str) -> StorageOperation:
    return StorageOperation(
        host=host,
        kind=OperationKind.VOLUME_UPLOAD,
        pool_name=pool_name,
        volume_name=into,
        arguments_data={"create": False},
    )


def _begin(request: HttpRequest, host: Host, pool_name: str, form: UploadForm) -> HttpResponse:
    """Closes the dialog and tells upload.js where to send the file, and from which byte on."""
    identity, data, owner = form.identity(host, pool_name), form.cleaned_data, _owner(request)
    begun = spool.find_begun(owner, identity)
    token = (
        begun.token if begun else spool.create(owner, data["file_name"], data["file_size"], identity=identity)
    )
    values = {"pool": pool_name, "volume": form.volume_name, "spool": token, "create": "" if form.into else "1",
              "format": data.get("format", "")}  # fmt: skip
    detail = {
        "send": reverse("hosts:spool", args=[token]), "offset": begun.stored_bytes if begun else 0,
        "size": data["file_size"], "order_address": reverse("hosts:volume_uploaded", args=[host.pk]), "values": values,
        "title": f"{form.volume_name} → {pool_name} on {host.name}",
    }  # fmt: skip
    response = HttpResponse(status=204)
    response.headers["HX-Trigger"] = json.dumps({"dialog-close": "", "upload-begin": detail})
    return response


@login_required
@require_POST
def order_uploaded(request: HttpRequest, pk: int) -> HttpResponse:
    """The file is here: order the worker to write it into the volume. Answers with the row of the operation."""
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    said = request.POST
    token = said.get("spool", "")
    arguments: dict[str, Any] = {"spool": token, "create": bool(said.get("create"))}
    if said.get("format"):
        arguments["format"] = said["format"][:40]
    if (before := _ordered_before(request, host, token)) is not None:
        return _show_row(request, before)
    try:
        entry = spool.get(token, _owner(request))
        if not entry.complete:
            raise SpoolRefused(
                f"{entry.name}: only {entry.stored_bytes} of {entry.size_bytes} bytes are here."
            )
        ordered = storage_orders.order(
            request.user,
            host,
            OperationKind.VOLUME_UPLOAD,
            said.get("pool", ""),
            said.get("volume", ""),
            arguments,
        )
    except SpoolRefused as refused:
        return _refuse(request, refused.message, refused.remedy)
    except StorageRefused as refused:
        return _refuse(request, refused.message, refused.advice)
    return _show_row(request, ordered)


def _ordered_before(request: HttpRequest, host: Host, token: str) -> StorageOperation | None:
    """The answer to the order was lost on its way, so that the browser asks once more."""
    mine = StorageOperation.objects.filter(
        host=host, kind=OperationKind.VOLUME_UPLOAD, asked_by=_owner(request), arguments_data__spool=token
    )
    return mine.filter(outcome__in=("", OperationOutcome.DONE)).select_related("host").first()


def _show_row(request: HttpRequest, operation: StorageOperation) -> HttpResponse:
    context = {"view": view_operation(operation, request.user), "polls": True}
    response = render(request, "hosts/_pool_operation.html", context)
    response.headers["HX-Trigger"] = "storage-ordered"
    return response


def _refuse(request: HttpRequest, message: str, advice: str) -> HttpResponse:
    context = {"refused": {"message": message, "advice": advice}}
    return render(request, "hosts/_volume_upload_refused.html", context, status=422)


@login_required
@require_http_methods(["GET", "PUT", "DELETE"])
def spool_file(request: HttpRequest, token: str) -> JsonResponse:
    """How much is here (GET), the next slice at `?offset=` (PUT), or give up (DELETE). 409: go on at `offset`."""
    owner = _owner(request)
    try:
        entry = spool.get(token, owner)
        if request.method == "DELETE":
            spool.remove(token)
        stored = _append(request, token, owner) if request.method == "PUT" else entry.stored_bytes
    except SpoolRefused as refused:
        answer = {"message": f"{refused.message} {refused.remedy}".strip(), "offset": refused.stored_bytes}
        return JsonResponse(answer, status=404 if refused.stored_bytes is None else 409)
    return JsonResponse({"offset": stored, "size": entry.size_bytes})


def _append(request: HttpRequest, token: str, owner: int) -> int:
    offset = request.GET.get("offset", "")
    return spool.append(token, owner, int(offset) if offset.isdecimal() else -1, _body(request))


def _body(request: HttpRequest) -> Iterator[bytes]:
    """In pieces: `request.body` would hold all of it in memory and refuse more than DATA_UPLOAD_MAX_MEMORY_SIZE."""
    while piece := request.read(PIECE_BYTES):
        yield piece


@login_required
@require_GET
def fetch_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """A finished download, for its owner; a browser that lost the connection may ask for the rest by Range."""
    try:
        entry = spool.get(token, _owner(request))
        file = spool.open_reader(token)
    except SpoolRefused as refused:
        raise Http404 from refused
    start, end = _wanted_range(request, entry)
    if start >= end > 0:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{entry.stored_bytes}"})
    file.seek(start)
    response = _stream(request, file, end - start)
    response.headers["Content-Length"] = str(end - start)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Disposition"] = content_disposition_header(True, entry.name) or "attachment"
    if (start, end) != (0, entry.stored_bytes):
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{entry.stored_bytes}"
    return response


def _wanted_range(request: HttpRequest, entry: SpoolFile) -> tuple[int, int]:
    """First byte and the one after the last. Anything but one plain range means the whole file."""
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None:
        return 0, entry.stored_bytes
    last = int(found[2]) if found[2] else entry.stored_bytes - 1
    return int(found[1]), min(last + 1, entry.stored_bytes)


def _stream(request: HttpRequest, file: BinaryIO, length: int) -> StreamingHttpResponse:
    """Under ASGI a plain iterator, FileResponse's too, is read into memory as a whole before its first byte goes."""
    pieces: Any = _pieces_async(file, length) if isinstance(request, ASGIRequest) else _pieces(file, length)
    return StreamingHttpResponse(pieces, content_type="application/octet-stream")


def _pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    with file:
        while length > 0 and (piece := file.read(min(PIECE_BYTES, length))):
            length -= len(piece)
            yield piece


async def _pieces_async(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    with file:
        while length > 0:
            piece = await sync_to_async(file.read, thread_sensitive=False)(min(PIECE_BYTES, length))
            if not piece:
                return
            length -= len(piece)
            yield piece
