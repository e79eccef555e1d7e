"""What can be done with a volume: create, clone, resize, wipe, delete, download. A worker does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from hosts.models import Host, StorageOperation, Volume
from hosts.services import storage_orders, usage
from hosts.services.contents import find_contents
from hosts.services.storage_kinds import OperationKind, StorageRefused
from hosts.views.pool_actions import find_refusal, show_state
from hosts.views.virsh_lines import virsh_lines
from hosts.views.volume_forms import CloneForm, CreateForm, ResizeForm, WipeForm
from hosts.views.volume_pages import find_volume

K = OperationKind
_PLACEHOLDERS = {"algorithm": "zero"}


@dataclass(frozen=True, slots=True)
class VolumeAction:
    """`says`: the consequence. `form` None: there is nothing to choose."""

    kind: OperationKind
    title: str
    verb: str
    says: str
    form: type[Any] | None = None
    danger: bool = False


ACTIONS: Final[dict[OperationKind, VolumeAction]] = {
    action.kind: action
    for action in (
        VolumeAction(
            K.VOLUME_CLONE, "Clone {volume}", "Clone",
            "{host} makes a copy of the volume in the same pool. A running guest that writes to it meanwhile would "
            "make the copy worthless: shut it down first.",
            CloneForm,
        ),
        VolumeAction(
            K.VOLUME_RESIZE, "Make {volume} larger", "Resize",
            "The volume grows. Its partitions and file systems do not: that is for the guest to do. It cannot be made "
            "smaller again.",
            ResizeForm,
        ),
        VolumeAction(
            K.VOLUME_WIPE, "Wipe {volume}?", "Wipe",
            "Everything stored in the volume is overwritten. It cannot be undone, and libvirt cannot interrupt it.",
            WipeForm, danger=True,
        ),
        VolumeAction(
            K.VOLUME_DELETE, "Delete {volume}?", "Delete",
            "The volume and everything stored in it are gone. This cannot be undone.",
            danger=True,
        ),
        VolumeAction(
            K.VOLUME_DOWNLOAD, "Download {volume}", "Prepare the download",
            "{host} sends the volume to this server; then it can be saved from here. While a running guest writes to "
            "it, the copy is not consistent.",
        ),
    )
}  # fmt: skip


@login_required
@require_http_methods(["GET", "POST"])
def volume_action(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """The question, and the order when it is confirmed."""
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    action = ACTIONS.get(K(kind)) if kind in list(K) else None
    said = request.POST if request.method == "POST" else request.GET
    volume = find_volume(host, said.get("pool", ""), said.get("volume", ""))
    if action is None or volume is None:
        raise Http404
    form = action.form(_data(request), contents=volume.contents, volume=volume) if action.form else None
    if request.GET.get("preview"):
        return _preview(request, action.kind, volume.contents.pool_name, volume.name, form)
    if request.method == "GET" or (form is not None and not form.is_valid()):
        question = _question(host, action, volume, form)
        status = 200 if request.method == "GET" else 422
        return render(request, "hosts/_volume_action.html", question, status=status)
    arguments = form.arguments() if form is not None else {}
    return _order(request, host, action, volume, form, arguments)


def _order(
    request: HttpRequest,
    host: Host,
    action: VolumeAction,
    volume: Volume,
    form: Any,
    arguments: Mapping[str, Any],
) -> HttpResponse:
    pool_name = volume.contents.pool_name
    try:
        ordered = storage_orders.order(request.user, host, action.kind, pool_name, volume.name, arguments)
    except StorageRefused as refused:
        if refused.under_way is not None:
            return show_state(request, refused.under_way, note=refused.message)
        question = _question(host, action, volume, form) | {"refused": refused}
        return render(request, "hosts/_volume_action.html", question, status=422)
    return show_state(request, ordered)


def _question(host: Host, action: VolumeAction, volume: Volume, form: Any) -> dict[str, Any]:
    pool_name = volume.contents.pool_name
    draft = StorageOperation(host=host, kind=action.kind, pool_name=pool_name, volume_name=volume.name)
    refused = find_refusal(draft)
    uses = usage.users_of_volume(host, pool_name, volume.name)
    return {
        "host": host, "action": action, "volume": volume, "form": form, "uses": uses,
        "running": [use for use in uses if use.running], "refused": refused, "blocked": refused is not None,
        "title": action.title.format(volume=volume.name), "says": action.says.format(host=host.name),
        "lines": virsh_lines(action.kind, pool_name, volume.name, _typed_arguments(form) or _PLACEHOLDERS),
    }  # fmt: skip


@login_required
@require_http_methods(["GET", "POST"])
def create_volume(request: HttpRequest, pk: int) -> HttpResponse:
    """The form of a new volume, and the order."""
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    said = request.POST if request.method == "POST" else request.GET
    pool_name = said.get("pool", "")
    facts = usage.find_pool(host, pool_name)
    if facts is None:
        raise Http404
    form = CreateForm(_data(request), contents=find_contents(host, pool_name), pool_type=facts.type)
    if request.GET.get("preview"):
        return _preview(request, K.VOLUME_CREATE, pool_name, said.get("name", ""), form)
    context = {"host": host, "pool_name": pool_name, "facts": facts, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            name = form.cleaned_data["name"]
            ordered = storage_orders.order(
                request.user, host, K.VOLUME_CREATE, pool_name, name, form.arguments()
            )
            return show_state(request, ordered)
        except StorageRefused as refused:
            if refused.under_way is not None:
                return show_state(request, refused.under_way, note=refused.message)
            context["refused"] = refused
    context["lines"] = virsh_lines(K.VOLUME_CREATE, pool_name, said.get("name", ""), _typed_arguments(form))
    status = 422 if request.method == "POST" else 200
    return render(request, "hosts/_volume_create.html", context, status=status)


def _data(request: HttpRequest) -> Any:
    """What a form is bound to; a half-typed one, too, whose virsh line `?preview=1` asks for. Only a POST orders."""
    if request.method == "POST":
        return request.POST
    return request.GET if request.GET.get("preview") else None


def _preview(
    request: HttpRequest, kind: OperationKind, pool_name: str, volume_name: str, form: Any
) -> HttpResponse:
    """The virsh line of what is typed so far."""
    lines = virsh_lines(kind, pool_name, volume_name, _typed_arguments(form) or _PLACEHOLDERS)
    return render(request, "hosts/_volume_lines.html", {"lines": lines})


def _typed_arguments(form: forms.Form | None) -> dict[str, Any]:
    """The arguments as far as they make sense: a half-typed form has none yet."""
    if form is None or not form.is_bound:
        return {}
    form.is_valid()
    try:
        arguments: dict[str, Any] = form.arguments()  # type: ignore[attr-defined]
    except KeyError:
        return {}
    return arguments
