"""Adding and changing a host, and testing its connection. A worker talks to the host; these only ask and show."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hosts.facts.address import parse_address
from hosts.forms import AddressPartsForm, HostForm, parts_of
from hosts.models import Host
from hosts.services.registration import CREDENTIAL_KEYS, accept_host_keys, save_host
from hosts.services.testing import find_report, request_test
from hosts.views.fingerprints import accepted_keys
from hosts.views.pages import page

_NEW = {"part_driver": "qemu", "part_transport": "ssh", "part_user": "root", "part_path": "/system"}
_TESTED = frozenset({"address", "known_hosts", "ssh_private_key", "probe_address", "probe_private_key"})
hides_secrets = sensitive_post_parameters(*CREDENTIAL_KEYS)


@hides_secrets
@login_required
@require_http_methods(["GET", "POST"])
def add_host(request: HttpRequest) -> HttpResponse:
    return _edit(request, Host(), "Add host")


@hides_secrets
@login_required
@require_http_methods(["GET", "POST"])
def edit_host(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(Host, pk=pk), "Save")


def _edit(request: HttpRequest, host: Host, verb: str) -> HttpResponse:
    form = HostForm(request.POST or None, instance=host)
    if request.method == "POST" and form.is_valid():
        saved = save_host(
            form.save(commit=False), credentials=form.credentials, clear=form.cleared, actor=request.user
        )
        messages.success(request, f"{saved.name} is saved and is being read.")
        return redirect("hosts:detail", saved.pk)
    context = {"form": form, "parts": _parts(form), "verb": verb, "host": host if host.pk else None}
    context["stored"] = {key for key, value in (host.credentials or {}).items() if value}
    context["accepted"] = accepted_keys(form["known_hosts"].value() or "")
    response = page(request, "hosts/form.html", context, status=422 if form.errors else 200)
    if form.errors:
        response.headers["HX-Push-Url"] = "false"  # still the same page
    return response


def _parts(form: HostForm) -> AddressPartsForm:
    try:
        return AddressPartsForm(initial=parts_of(parse_address(form["address"].value() or "")))
    except ValueError:
        return AddressPartsForm(initial=_NEW)


@login_required
@require_POST
def convert_address(request: HttpRequest) -> HttpResponse:
    """The parts as one address, or one address as its parts: the side that was not typed is answered."""
    if "address" in request.POST:
        return _whole_to_parts(request)
    parts, error, whole = AddressPartsForm(request.POST), "", ""
    if parts.is_valid():
        try:
            whole = parts.as_address()
        except ValueError as refused:
            error = str(refused)
    else:
        error = " ".join(str(text) for texts in parts.errors.values() for text in texts)
    return render(request, "hosts/_address_whole.html", {"whole": whole, "error": error})


def _whole_to_parts(request: HttpRequest) -> HttpResponse:
    try:
        address = parse_address(request.POST["address"])
    except ValueError as error:
        return render(request, "hosts/_address_error.html", {"error": str(error)})
    return render(
        request,
        "hosts/_address_parts.html",
        {"parts": AddressPartsForm(initial=parts_of(address)), "live": True},
    )


@hides_secrets
@login_required
@require_POST
def test_form(request: HttpRequest) -> HttpResponse:
    """Test what is typed, stored or not. `accept` is the token of the report whose keys a person has compared."""
    pk = request.POST.get("host", "")
    host = get_object_or_404(Host, pk=int(pk)) if pk.isdecimal() else Host()
    data = request.POST.copy()
    accepted = _offered_lines(request.POST.get("accept", ""))
    if accepted:
        data["known_hosts"] = "\n".join(accepted)
    form = HostForm(data, instance=host)
    form.fields["name"].required = False
    form.is_valid()
    if not form.errors.keys().isdisjoint(_TESTED):
        return render(request, "hosts/_test_refused.html", {"form": form}, status=422)
    for name in ("address", "known_hosts", "probe_address"):
        setattr(host, name, form.cleaned_data[name])
    host.name = host.name or "the host"
    token = request_test(host, form.credentials)
    context: dict[str, Any] = {"token": token, "known_hosts": host.known_hosts if accepted else None}
    context |= {"host": host if host.pk else None, "in_form": True}
    return render(request, "hosts/_test_waiting.html", context)


@login_required
@require_POST
def test_host(request: HttpRequest, pk: int) -> HttpResponse:
    """Test a stored host as it is stored."""
    host = get_object_or_404(Host, pk=pk)
    return render(request, "hosts/_test_waiting.html", {"token": request_test(host, {}), "host": host})


@login_required
@require_GET
def show_report(request: HttpRequest, token: str) -> HttpResponse:
    """The report of a test, or the question again in a second."""
    report = find_report(token)
    pk = request.GET.get("host", "")
    host = Host.objects.filter(pk=int(pk)).first() if pk.isdecimal() else None
    context: dict[str, Any] = {"token": token, "host": host, "in_form": "in_form" in request.GET}
    if report is None:
        return render(request, "hosts/_test_waiting.html", context | _waited(request))
    context |= {"report": report, "accepted": accepted_keys(host.known_hosts) if host else []}
    return render(request, "hosts/_test_report.html", context)


_PATIENCE = 45  # rounds of a second; the slowest step of a test gives up after 15 s


def _waited(request: HttpRequest) -> dict[str, Any]:
    text = request.GET.get("round", "0")
    rounds = int(text) + 1 if text.isdecimal() else 1
    return {"round": rounds, "slow": rounds > 5, "given_up": rounds > _PATIENCE}


@login_required
@require_POST
def accept_keys(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept the keys of a report that a person has compared, then test again with them."""
    host = get_object_or_404(Host, pk=pk)
    lines = _offered_lines(request.POST.get("token", ""))
    if not lines or request.POST.get("compared") != "yes":
        return render(request, "hosts/_test_expired.html", {"host": host}, status=422)
    accept_host_keys(host, lines, request.user)
    messages.success(request, f"The host keys of {host.name} are accepted.")
    return render(
        request,
        "hosts/_test_waiting.html",
        {"token": request_test(host, {}), "host": host, "with_toasts": True},
    )


def _offered_lines(token: str) -> list[str]:
    report = find_report(token) if token else None
    return [key.line for key in report.offered_keys] if report else []
