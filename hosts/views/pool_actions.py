"""What can be done with a pool. Each says what it will do and who uses the pool; a worker does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hosts.models import Host, StorageOperation
from hosts.services import storage_guard, storage_orders, usage
from hosts.services.storage_kinds import OperationKind, StorageRefused
from hosts.services.usage import Use
from hosts.views.operations import view_operation
from hosts.views.virsh_lines import virsh_lines

K = OperationKind


@dataclass(frozen=True, slots=True)
class PoolAction:
    """`says`: the consequence, in one or two sentences. `confirmable`: a typed name overrules its users."""

    kind: OperationKind
    title: str
    verb: str
    says: str
    danger: bool = False
    confirmable: bool = False


ACTIONS: Final[dict[OperationKind, PoolAction]] = {
    action.kind: action
    for action in (
        PoolAction(
            K.START, "Start {pool}?", "Start",
            "{host} activates the pool: network storage is mounted, volumes are listed.",
        ),
        PoolAction(
            K.STOP, "Stop {pool}?", "Stop",
            "{host} deactivates the pool: network storage is unmounted there. Nothing that is stored is touched, and "
            "it can be started again. Other hosts keep theirs.",
            danger=True, confirmable=True,
        ),
        PoolAction(
            K.AUTOSTART_ON, "Start {pool} with its host?", "Turn autostart on",
            "libvirt on {host} starts the pool by itself whenever it starts. Nothing happens now.",
        ),
        PoolAction(
            K.AUTOSTART_OFF, "No longer start {pool} with its host?", "Turn autostart off",
            "After the next start of libvirt on {host} the pool stays inactive, and guests on it do not start until "
            "somebody starts it. Nothing happens now.",
        ),
        PoolAction(
            K.REFRESH, "Refresh {pool}?", "Refresh",
            "{host} looks at the storage anew: volumes made or removed outside of libvirt are seen, figures are read.",
        ),
        PoolAction(
            K.UNDEFINE, "Remove the definition of {pool}?", "Remove the definition",
            "An active pool is stopped first, then {host} forgets its definition. What is stored in it stays where it "
            "is.",
            danger=True, confirmable=True,
        ),
        PoolAction(
            K.DELETE, "Delete {pool} and what it lies on?", "Delete",
            "The pool is stopped on {host}, what it lies on is removed (an empty folder, a volume group), and then its "
            "definition. This cannot be undone.",
            danger=True,
        ),
    )
}  # fmt: skip


@login_required
@require_http_methods(["GET", "POST"])
def pool_action(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """The question, and the order when it is confirmed."""
    host = get_object_or_404(Host.objects.defer("credentials", "known_hosts"), pk=pk)
    action = ACTIONS.get(K(kind)) if kind in list(K) else None
    said = request.POST if request.method == "POST" else request.GET
    pool_name = said.get("pool", "")
    if action is None or not pool_name:
        raise Http404
    if request.method == "GET":
        return render(request, "hosts/_pool_action.html", _question(host, action, pool_name))
    try:
        typed = said.get("confirmed", "").strip()
        ordered = storage_orders.order(request.user, host, action.kind, pool_name, confirmed=typed)
    except StorageRefused as refused:
        if refused.under_way is not None:
            return show_state(request, refused.under_way, note=refused.message)
        question = _question(host, action, pool_name) | {"refused": refused, "typed": typed}
        return render(request, "hosts/_pool_action.html", question, status=422)
    return show_state(request, ordered)


def _question(host: Host, action: PoolAction, pool_name: str) -> dict[str, Any]:
    """What would happen now. `refused`: what stands against it; `by_name`: the typed name overrules that."""
    refused = find_refusal(StorageOperation(host=host, kind=action.kind, pool_name=pool_name))
    uses = usage.users_of_pool(host, pool_name)
    by_name = action.confirmable and refused is not None and host.enabled
    return {
        "host": host, "action": action, "pool_name": pool_name, "uses": distinct_disks(uses), "by_name": by_name,
        "title": action.title.format(pool=pool_name), "says": action.says.format(host=host.name, pool=pool_name),
        "refused": None if by_name else refused, "blocked": refused is not None and not by_name,
        "in_the_way": refused if by_name else None, "lines": virsh_lines(action.kind, pool_name),
    }  # fmt: skip


def find_refusal(draft: StorageOperation) -> StorageRefused | None:
    """What the order would be refused for now, by what was last read."""
    try:
        storage_guard.refuse_impossible(draft)
    except StorageRefused as refused:
        refused.message = refused.message.removesuffix(" Nothing was changed.")  # nobody has asked for it yet
        return refused
    return None


def distinct_disks(uses: Iterable[Use]) -> list[Use]:
    """Each disk once: it uses every layer below it, too."""
    return list({(use.guest.pk, use.disk): use for use in reversed(tuple(uses))}.values())[::-1]


@login_required
@require_GET
def show_operation(request: HttpRequest, pk: int) -> HttpResponse:
    """How it stands: in a dialog, or as one row of a list (`?row=1`). The page asks again until it is over."""
    operation = get_object_or_404(StorageOperation.objects.select_related("host", "run"), pk=pk)
    if operation.ended_at is None:
        storage_orders.expire_lapsed()
        operation.refresh_from_db()
    if request.GET.get("row"):
        context = {"view": view_operation(operation, request.user), "polls": True}
        return render(request, "hosts/_pool_operation.html", context)
    return show_state(request, operation, note=request.GET.get("note", "")[:300])


@login_required
@require_POST
def cancel_operation(request: HttpRequest, pk: int) -> HttpResponse:
    """Withdraw it, or ask its worker to stop. Answers with how it stands then."""
    operation = get_object_or_404(StorageOperation.objects.select_related("host", "run"), pk=pk)
    note = ""
    try:
        operation = storage_orders.cancel(request.user, operation)
    except StorageRefused as refused:
        note = f"{refused.message} {refused.advice}".strip()
    if request.GET.get("row"):
        context = {"view": view_operation(operation, request.user), "polls": True, "note": note}
        return render(request, "hosts/_pool_operation.html", context)
    return show_state(request, operation, note=note)


def show_state(request: HttpRequest, operation: StorageOperation, *, note: str = "") -> HttpResponse:
    """The dialog of one operation, from waiting to its outcome."""
    context = {"view": view_operation(operation, request.user), "note": note}
    response = render(request, "hosts/_pool_operation_dialog.html", context)
    if request.method == "POST":
        response.headers["HX-Trigger"] = "storage-ordered"  # the lists behind the dialog show it from now on
    return response
