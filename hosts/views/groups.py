"""Host groups: hosts that people name together, so that a template need not list them one by one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from hosts.forms_storage import GroupForm
from hosts.models import Host, HostGroup
from hosts.services.audit import record_action
from hosts.views.pages import close_and_show, page

_FEW = 8  # names shown in a row of the list


@login_required
@require_GET
def list_groups(request: HttpRequest) -> HttpResponse:
    groups = HostGroup.objects.prefetch_related(
        Prefetch("hosts", Host.objects.defer("credentials", "facts_data", "probe_data")), "templates"
    )
    rows = []
    for group in groups:
        hosts = list(group.hosts.all())
        rows.append({"group": group, "first": hosts[:_FEW], "more": max(0, len(hosts) - _FEW)})
    return page(request, "hosts/groups.html", {"rows": rows, "has_hosts": Host.objects.exists()})


@login_required
@require_http_methods(["GET", "POST"])
def add_group(request: HttpRequest) -> HttpResponse:
    return _edit(request, HostGroup())


@login_required
@require_http_methods(["GET", "POST"])
def edit_group(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(HostGroup, pk=pk))


def _edit(request: HttpRequest, group: HostGroup) -> HttpResponse:
    new, old_name = group.pk is None, group.name
    before = _names(group)
    form = GroupForm(request.POST or None, instance=group)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        verb = "made" if new else "changed"
        record_action(
            request.user, f"group.{'add' if new else 'change'}", f"group {saved.name}",
            f"The host group {saved.name} was {verb}.",
            before={"name": old_name, "hosts": before}, after={"name": saved.name, "hosts": _names(saved)},
        )  # fmt: skip
        messages.success(request, f"The group {saved.name} is saved.")
        return redirect("hosts:groups")
    ticked = {str(value) for value in form["hosts"].value() or ()}
    picks = [
        {"host": host, "ticked": str(host.pk) in ticked}
        for host in Host.objects.defer("credentials", "facts_data", "probe_data")
    ]
    context = {"form": form, "group": None if new else group, "old_name": old_name, "picks": picks}
    response = page(request, "hosts/group_form.html", context, status=422 if form.errors else 200)
    if form.errors:
        response.headers["HX-Push-Url"] = "false"  # still the same page
    return response


def _names(group: HostGroup) -> list[str]:
    return sorted(group.hosts.values_list("name", flat=True)) if group.pk else []


@login_required
@require_http_methods(["GET", "POST"])
def delete_group(request: HttpRequest, pk: int) -> HttpResponse:
    group = get_object_or_404(HostGroup, pk=pk)
    if request.method == "GET":
        context = {"group": group, "templates": list(group.templates.all())}
        return render(request, "hosts/_group_delete.html", context)
    before = {"name": group.name, "hosts": _names(group)}
    name = group.name
    group.delete()
    record_action(
        request.user, "group.delete", f"group {name}", f"The host group {name} was deleted.", before=before
    )
    messages.success(request, f"The group {name} is deleted. Its hosts and their pools were not touched.")
    return close_and_show(reverse("hosts:groups"))
