"""What a person has typed of a pool template: the fields and the XML kept the same, and what is still wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from hosts.facts.pool_template import (
    POOL_TYPES,
    PoolForm,
    PoolType,
    TemplateProblem,
    check_template,
    find_type,
    import_xml,
    read_form,
    render_form,
)
from hosts.facts.pool_variables import VARIABLES, variables_in
from hosts.forms_storage_template import MAX_XML, SECRETS, PoolFieldsForm, initial_of
from hosts.models import Host, HostGroup, PoolTemplate

FORM, XML = "form", "xml"


@dataclass(slots=True)
class Editor:
    """The two sides of the page. `side` is the one that is typed in; the other follows it."""

    side: str
    kind: PoolType
    fields: PoolFieldsForm
    xml: str
    error: str = ""  # why the XML cannot be read
    known_type: bool = True
    problems: tuple[TemplateProblem, ...] = field(default=())

    @property
    def name(self) -> str:
        try:
            return read_form(self.xml).name
        except ValueError:
            return ""

    @property
    def secret_key(self) -> str:
        return SECRETS.get(self.kind.name, "")

    @property
    def variables(self) -> list[str]:
        """Those that need a value for each host, in the order of the table."""
        try:
            used = variables_in(self.xml)
        except ValueError:
            return []
        return [name for name in ("host.path", "host.device") if name in used]

    @property
    def variable_help(self) -> list[tuple[str, str]]:
        return [(f"{{{{ {name} }}}}", words) for name, words in VARIABLES.items()]

    @property
    def loose_problems(self) -> list[TemplateProblem]:
        """Those that belong to no field on the page."""
        return [
            item for item in self.problems if not self.fields.is_bound or item.field not in self.fields.fields
        ]

    def say_problems(self) -> None:
        """Put each beside its field, where there is one."""
        if not self.fields.is_bound:
            return
        self.fields.full_clean()
        for problem in self.problems:
            if problem.field in self.fields.fields:
                self.fields.add_error(problem.field, f"{problem.message} {problem.remedy}".strip())
                self.fields.fields[problem.field].widget.attrs["aria-invalid"] = "true"


def edit_xml(xml: str, side: str = FORM) -> Editor:
    """An editor that begins with this XML."""
    try:
        form = read_form(xml)
    except ValueError as error:
        return Editor(XML, POOL_TYPES[0], PoolFieldsForm(POOL_TYPES[0]), xml, str(error))
    return _of_form(form, xml, side)


def _of_form(form: PoolForm, xml: str, side: str) -> Editor:
    kind = find_type(form.type)
    if kind is None:
        unknown = PoolFieldsForm(POOL_TYPES[0])
        return Editor(XML, POOL_TYPES[0], unknown, xml, known_type=False, problems=check_template(xml))
    values = {f"pool-{name}": value for name, value in initial_of(form, kind).items()}
    return Editor(side, kind, PoolFieldsForm(kind, values), xml, problems=check_template(xml))


def edit_new(kind: PoolType, values: QueryDict) -> Editor:
    """An empty form of this type, perhaps with some values from the address."""
    form = initial_of(PoolForm(type=kind.name, source_format=kind.default_format), kind)
    given = {f"pool-{name}": values.get(f"pool-{name}", value) for name, value in form.items()}
    fields = PoolFieldsForm(kind, given)
    fields.is_valid()
    return _render(kind, fields, "")


def edit_posted(data: QueryDict) -> Editor:
    """What the page holds now, the other side made to follow the one that is typed in."""
    xml = data.get("xml", "").replace("\r\n", "\n")
    if len(xml) > MAX_XML:
        limit = MAX_XML // 1024
        return Editor(
            XML, POOL_TYPES[0], PoolFieldsForm(POOL_TYPES[0]), "", f"The XML is larger than {limit} KiB."
        )
    kind = find_type(data.get("type", ""))
    if data.get("typed", FORM) == XML or kind is None:
        return edit_xml(xml, XML if data.get("side") == XML else FORM)
    fields = PoolFieldsForm(kind, data)
    fields.is_valid()
    editor = _render(kind, fields, xml)
    editor.side = XML if data.get("side") == XML else FORM
    return editor


def _render(kind: PoolType, fields: PoolFieldsForm, base: str) -> Editor:
    form = fields.read()
    try:
        xml = render_form(form, base)
    except ValueError as error:
        return Editor(FORM, kind, fields, base, str(error))
    problems = list(check_template(xml))
    for name, errors in fields.errors.items():
        problems += [TemplateProblem(name, str(text), "") for text in errors]
    return Editor(FORM, kind, fields, xml, problems=tuple(problems))


def renamed(xml: str, name: str) -> str:
    """The same pool under another name. Raises ValueError."""
    return render_form(replace(read_form(xml), name=name), xml)


def imported(xml: str) -> str:
    """What a host or a file gave, as a template. Raises ValueError in words."""
    if len(xml) > MAX_XML:
        raise ValueError(f"This is larger than {MAX_XML // 1024} KiB; a pool's XML is not.")
    if not xml.strip():
        raise ValueError("There is nothing in it. Paste what virsh pool-dumpxml prints.")
    return import_xml(xml.lstrip("\ufeff \r\n\t"))


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the template should be, as ticked, and the values of each host as typed."""

    hosts: set[int]
    groups: set[int]
    paths: Mapping[int, str]
    devices: Mapping[int, str]


def stored_places(template: PoolTemplate) -> Placed:
    rows = list(template.placements.all())
    return Placed(
        {row.host_id for row in rows if row.chosen},
        set(template.groups.values_list("pk", flat=True)),
        {row.host_id: row.path for row in rows},
        {row.host_id: row.device for row in rows},
    )


def posted_places(data: QueryDict) -> Placed:
    return Placed(
        _numbers(data.getlist("hosts")),
        _numbers(data.getlist("groups")),
        _values(data, "path-"),
        _values(data, "device-"),
    )


def _numbers(texts: list[str]) -> set[int]:
    return {int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10}


def _values(data: QueryDict, start: str) -> dict[int, str]:
    found = ((name.removeprefix(start), str(data[name])) for name in data if name.startswith(start))
    return {
        int(pk): text.strip()[:500] for pk, text in found if pk.isascii() and pk.isdigit() and len(pk) < 10
    }


def place_context(placed: Placed, editor: Editor) -> dict[str, Any]:
    """What the page shows of hosts, groups and their values."""
    hosts = list(Host.objects.defer("credentials", "facts_data", "probe_data").prefetch_related("groups"))
    by_group = {
        host.pk: group.name for host in hosts for group in host.groups.all() if group.pk in placed.groups
    }
    reached = [host for host in hosts if host.pk in placed.hosts or host.pk in by_group]
    rows = [{"host": host, "path": placed.paths.get(host.pk, ""), "device": placed.devices.get(host.pk, "")}
            for host in reached]  # fmt: skip
    return {
        "picks": [
            {"host": host, "ticked": host.pk in placed.hosts, "by_group": by_group.get(host.pk, "")}
            for host in hosts
        ],
        "groups": [
            {"group": group, "ticked": group.pk in placed.groups}
            for group in HostGroup.objects.prefetch_related("hosts")
        ],
        "value_rows": rows if editor.variables else [],
        "uses_path": "host.path" in editor.variables,
        "uses_device": "host.device" in editor.variables,
    }
