"""Adding and changing a pool template: the form, the XML beside it, and what each of them says of the other."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from hosts.facts.pool_drift import compare_definitions
from hosts.facts.pool_template import POOL_TYPES, TemplateProblem, find_type
from hosts.forms_storage_template import SECRET_KEYS, TYPE_CHOICES, TemplateForm
from hosts.models import PoolTemplate
from hosts.services.template_store import NameTaken, TemplateChanged, TemplateDraft, save_template
from hosts.views import template_draft as drafts
from hosts.views.pages import page
from hosts.views.template_draft import Editor, Placed

hides_secrets = sensitive_post_parameters(*SECRET_KEYS)


@hides_secrets
@login_required
@require_http_methods(["GET", "POST"])
def add_template(request: HttpRequest) -> HttpResponse:
    """Which type first, unless the address says it or says which template to copy."""
    if request.method == "POST":
        return _save(request, None)
    copied, kind = request.GET.get("copy", ""), find_type(request.GET.get("type", ""))
    if copied.isdecimal():
        return _copy(request, get_object_or_404(PoolTemplate, pk=int(copied)))
    if kind is None:
        return page(request, "hosts/template_types.html", {"types": POOL_TYPES})
    editor = drafts.edit_new(kind, request.GET)
    return show_form(request, editor, drafts.posted_places(request.GET))


def _copy(request: HttpRequest, template: PoolTemplate) -> HttpResponse:
    editor = drafts.edit_xml(drafts.renamed(template.xml, f"{template.name} copy"))
    meta = TemplateForm(initial={"note": template.note, "autostart": template.autostart})
    return show_form(request, editor, drafts.stored_places(template), meta=meta, copied=template)


@hides_secrets
@login_required
@require_http_methods(["GET", "POST"])
def edit_template(request: HttpRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(PoolTemplate, pk=pk)
    if request.method == "POST":
        return _save(request, template)
    editor = drafts.edit_xml(template.xml)
    return show_form(request, editor, drafts.stored_places(template), template=template)


def show_form(
    request: HttpRequest, editor: Editor, placed: Placed, *, meta: TemplateForm | None = None,
    template: PoolTemplate | None = None, status: int = 200, **context: Any,
) -> HttpResponse:  # fmt: skip
    """The page with both sides. Also what an import is answered with."""
    context |= {
        "editor": editor, "form": meta or TemplateForm(instance=template), "template": template, "types": TYPE_CHOICES,
        "version": template.version if template else 0, "stored": set((template.secrets or {}) if template else ()),
    } | drafts.place_context(placed, editor)  # fmt: skip
    response = page(request, "hosts/template_form.html", context, status=status)
    if status == 422:
        response.headers["HX-Push-Url"] = "false"  # still the same page
    return response


def _save(request: HttpRequest, template: PoolTemplate | None) -> HttpResponse:
    editor, placed = drafts.edit_posted(request.POST), drafts.posted_places(request.POST)
    meta = TemplateForm(request.POST, instance=PoolTemplate())
    context: dict[str, Any] = {"meta": meta, "template": template, "status": 422}
    if editor.error or editor.problems or not meta.is_valid():
        editor.say_problems()
        return show_form(request, editor, placed, refused=True, **context)
    try:
        saved = save_template(
            request.user, _draft(editor, placed, meta), template=template, version=_version(request.POST)
        )
    except NameTaken:
        taken = TemplateProblem("name", "Another template has this name.", "Choose a different one.")
        editor.problems = (taken,)
        editor.say_problems()
        return show_form(request, editor, placed, refused=True, **context)
    except TemplateChanged as changed:
        return show_form(request, editor, placed, changed=_changes(changed.now, editor), **context)
    messages.success(request, f"The template {saved.name} is saved. Nothing was changed on the hosts yet.")
    return redirect("hosts:template", saved.pk)


def _draft(editor: Editor, placed: Placed, meta: TemplateForm) -> TemplateDraft:
    data = meta.cleaned_data
    return TemplateDraft(
        editor.name, editor.xml, data["note"], data["autostart"], list(data["hosts"]), list(data["groups"]),
        placed.paths, placed.devices, meta.secrets, meta.cleared,
    )  # fmt: skip


def _version(data: QueryDict) -> int:
    text = data.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _changes(now: PoolTemplate, editor: Editor) -> dict[str, Any]:
    """What somebody else has stored, against what is on the page."""
    return {"now": now, "differences": compare_definitions(editor.xml, now.xml)}


@login_required
@require_POST
def preview_template(request: HttpRequest) -> HttpResponse:
    """The side that is not typed in, made to follow. Nothing is stored, and no secret comes here."""
    editor, placed = drafts.edit_posted(request.POST), drafts.posted_places(request.POST)
    # Switching sides or types draws both anew; typing draws only what is not typed in.
    switched = request.POST.get("side") != request.POST.get("typed") or request.POST.get(
        "type"
    ) != request.POST.get("shown_type")
    context = {
        "editor": editor, "switched": switched, "types": TYPE_CHOICES, "form": TemplateForm(), "stored": (),
        "other_secret": request.POST.get("shown_secret", "") != editor.secret_key,
    }  # fmt: skip
    return render(request, "hosts/_template_preview.html", context | drafts.place_context(placed, editor))
