"""Keeping pool templates: two people never overwrite each other unknowingly, and secrets only go in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from hosts.models import Host, HostGroup, PoolTemplate, TemplatePlacement
from hosts.services.audit import record_action
from hosts.services.live import publish_inventory


class TemplateChanged(Exception):
    """Somebody else saved it meanwhile; nothing of this was written. `now` is what is stored."""

    def __init__(self, now: PoolTemplate) -> None:
        super().__init__(f"{now.name} was changed by {now.changed_by_name}.")
        self.now = now


class NameTaken(Exception):
    """Another template has this name; nothing was written."""


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What a person wants to keep. `paths` and `devices` are by host; an empty secret keeps the stored one."""

    name: str
    xml: str
    note: str = ""
    autostart: bool = True
    hosts: Collection[Host] = ()
    groups: Collection[HostGroup] = ()
    paths: Mapping[int, str] = field(default_factory=dict)
    devices: Mapping[int, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    cleared: Collection[str] = ()


def save_template(
    actor: Any, draft: TemplateDraft, *, template: PoolTemplate | None = None, version: int = 0
) -> PoolTemplate:
    """Store it and who did so. `version` is the one the person began from. Raises TemplateChanged, NameTaken."""
    others = PoolTemplate.objects.filter(name=draft.name)
    if template is not None:
        others = others.exclude(pk=template.pk)
    if others.exists():
        raise NameTaken(draft.name)
    before = _told(template) if template else {}
    try:
        with transaction.atomic():
            saved = _write(actor, draft, template, version)
            _place(saved, draft)
    except IntegrityError as error:  # saved under this name this very moment
        raise NameTaken(draft.name) from error
    verb = "changed" if template else "made"
    record_action(
        actor, f"template.{'change' if template else 'add'}", f"pool template {saved.name}",
        f"The pool template {saved.name} was {verb}.", before=before, after=_told(saved),
    )  # fmt: skip
    publish_inventory()
    return saved


def delete_template(actor: Any, template: PoolTemplate) -> None:
    """Only the recipe: what is on the hosts stays there."""
    before, name = _told(template), template.name
    template.delete()
    record_action(
        actor, "template.delete", f"pool template {name}",
        f"The pool template {name} was deleted. The pools on the hosts were not touched.", before=before,
    )  # fmt: skip
    publish_inventory()


def _write(actor: Any, draft: TemplateDraft, template: PoolTemplate | None, version: int) -> PoolTemplate:
    stored = dict(template.secrets or {}) if template else {}
    kept = {key: value for key, value in stored.items() if key not in draft.cleared}
    values = {
        "name": draft.name, "xml": draft.xml, "note": draft.note, "autostart": draft.autostart,
        "secrets": kept | {key: value for key, value in draft.secrets.items() if value},
        "changed_by_name": actor.get_username() if actor is not None else "command line",
    }  # fmt: skip
    if template is None:
        return PoolTemplate.objects.create(**values)
    mine = PoolTemplate.objects.filter(pk=template.pk, version=version)
    # Compare and set in one statement: of two who save at once only the first does.
    if not mine.update(**values, version=F("version") + 1, changed_at=timezone.now()):
        template.refresh_from_db()
        raise TemplateChanged(template)
    template.refresh_from_db()
    return template


def _place(template: PoolTemplate, draft: TemplateDraft) -> None:
    template.groups.set(draft.groups)
    chosen = {host.pk for host in draft.hosts}
    grouped = set(Host.objects.filter(groups__in=draft.groups).values_list("pk", flat=True))
    # Values typed for a host that has no pool of this template any more are forgotten with it.
    valued = {pk for values in (draft.paths, draft.devices) for pk, text in values.items() if text} & grouped
    template.placements.exclude(host__in=chosen | valued).delete()
    for pk in chosen | valued:
        TemplatePlacement.objects.update_or_create(
            template=template, host_id=pk,
            defaults={"chosen": pk in chosen, "path": draft.paths.get(pk, ""), "device": draft.devices.get(pk, "")},
        )  # fmt: skip


def _told(template: PoolTemplate) -> dict[str, Any]:
    """For the audit; never a secret, only which are stored."""
    placements = template.placements.select_related("host")
    return {
        "name": template.name, "version": template.version, "xml": template.xml, "note": template.note,
        "autostart": template.autostart, "secrets": sorted(template.secrets or {}),
        "groups": sorted(template.groups.values_list("name", flat=True)),
        "hosts": {item.host.name: [item.path, item.device] for item in placements if item.chosen},
    }  # fmt: skip
