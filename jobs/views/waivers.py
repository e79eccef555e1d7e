"""Waivers: who accepts a finding says why and until when; anyone may withdraw it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from jobs.services import waivers
from jobs.services.waivers import LONGEST, MAX_REASON_CHARACTERS, USUAL, Place, WaiverRefused
from jobs.views.asked import Asked, read_asked

LOCAL_TIME = "%Y-%m-%dT%H:%M"  # what <input type=datetime-local> takes


class WaiverForm(forms.Form):
    reason = forms.CharField(
        max_length=MAX_REASON_CHARACTERS,
        error_messages={"required": "Say why: whoever reads the record later has to understand it."},
        widget=forms.Textarea(
            attrs={"class": "input", "rows": 3, "autofocus": True, "aria-describedby": "id_reason_error"}
        ),
    )
    until = forms.DateTimeField(
        input_formats=[LOCAL_TIME, LOCAL_TIME + ":%S"],
        error_messages={"required": "Say until when.", "invalid": "Not a date and time."},
        widget=forms.DateTimeInput(
            attrs={
                "class": "input",
                "type": "datetime-local",
                "aria-describedby": "id_until_help id_until_error",
            },
            format=LOCAL_TIME,
        ),
    )


@login_required
@require_http_methods(["GET", "POST"])
def waive(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    """The form, and the waiver once it is filled in."""
    asked = read_asked(request, pk, destination_pk)
    form = WaiverForm(request.POST if request.method == "POST" else None, initial={"until": _in(USUAL)})
    context: dict[str, Any] = {"asked": asked, "form": form}
    context["until_label"] = f"Until ({timezone.get_current_timezone_name()})"
    context["until_help"] = f"At most {LONGEST.days} days: {_in(LONGEST):%Y-%m-%d %H:%M} at the latest."
    try:
        context["finding"] = waivers.find_waivable(_place(asked), asked.options)
        if request.method == "POST" and form.is_valid():
            context["waiver"] = waivers.give_waiver(
                request.user, _place(asked), asked.options, **form.cleaned_data
            )
            return render(request, "jobs/_waiver_given.html", context)
    except WaiverRefused as refused:
        if refused.field:
            form.add_error(refused.field, refused.message)
        else:
            context["refused"] = refused
    return render(request, "jobs/_waiver.html", context, status=422 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    asked = read_asked(request, pk, destination_pk)
    context: dict[str, Any] = {"asked": asked, "waiver": waivers.find_waiver(_place(asked))}
    if request.method == "GET":
        return render(request, "jobs/_waiver_withdraw.html", context)
    try:
        context["waiver"] = waivers.withdraw_waiver(request.user, _place(asked))
    except WaiverRefused as refused:
        return render(request, "jobs/_waiver_withdraw.html", context | {"refused": refused}, status=422)
    return render(request, "jobs/_waiver_given.html", context | {"withdrawn": True})


def _place(asked: Asked) -> Place:
    return Place(asked.guest, asked.destination, asked.check_id, asked.subject)


def _in(time: timedelta) -> datetime:
    return timezone.localtime(timezone.now() + time)
