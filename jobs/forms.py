"""The options of a move as a form, made from the one table of options, and the filter of the history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import QueryDict
from django.utils import timezone

from hosts.models import Guest, Host
from jobs.engine.phases import Phase
from jobs.models.migration import MigrationQuerySet
from jobs.options import (
    OPTIONS,
    InvalidOptions,
    Kind,
    MoveOptions,
    Option,
    Storage,
    Value,
    check_options,
    dump_options,
    parse_options,
)
from jobs.services import move_view

# What stays behind, as people choose it → (persistent, undefine_source).
STAYS = {
    "for-good": (True, True),
    "keep": (True, False),
    "temporary": (False, False),
    "nowhere": (False, True),
}
_POOL_OF = "disk-pool-"
_STAYS_FIELDS = ("persistent", "undefine_source")


def build_field(option: Option) -> forms.Field:
    """The form field of one option. Choices are radio cards in the template."""
    common: dict[str, Any] = {"required": False, "label": option.label, "help_text": option.help}
    match option.value:
        case Value.SWITCH:
            return forms.BooleanField(**common)
        case Value.NUMBER:
            return forms.IntegerField(
                **common,
                min_value=option.minimum,
                max_value=option.maximum,
                error_messages={
                    "invalid": "Must be a whole number.",
                    "min_value": f"Must be at least %(limit_value)s {option.unit}".rstrip() + ".",
                    "max_value": f"Must be at most %(limit_value)s {option.unit}".rstrip() + ".",
                },
            )
        case Value.CHOICE:
            return forms.ChoiceField(**common, choices=[(c.value, c.label) for c in option.choices])
        case Value.NAMES if option.choices:
            return forms.MultipleChoiceField(**common, choices=[(c.value, c.label) for c in option.choices])
    return forms.CharField(**common, strip=True)


class MoveForm(forms.Form):
    """Every option of a move. `options` is what they come to; errors stand at the field to be changed."""

    stays = forms.ChoiceField(choices=[(name, name) for name in STAYS])
    reason = forms.CharField(required=False, max_length=500, label="Reason")
    confirmed_name = forms.CharField(required=False, strip=False, label="The guest's name")

    def __init__(self, guest: Guest, data: Any = None, initial: MoveOptions | None = None) -> None:
        super().__init__(data, initial=_initial(initial or MoveOptions()))
        self.guest = guest
        self.options: MoveOptions | None = None
        for option in OPTIONS:
            if option.field not in _STAYS_FIELDS:
                self.fields[option.field] = build_field(option)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        cleaned["storage_map"] = cleaned["storage_map"] or _read_places(self.data, cleaned["storage"])
        try:
            options = parse_options(_option_data(cleaned))
        except InvalidOptions as invalid:
            for error in invalid.errors:
                self.add_error(error.field if error.field in self.fields else None, error.message)
            return cleaned
        self.options = options
        return cleaned

    def problems(self) -> dict[str, str]:
        """What is wrong at which field, in words. Combinations too: the preflight refuses them, here they are
        said beside what is to be changed."""
        said = {name: " ".join(map(str, errors)) for name, errors in self.errors.items()}
        if self.options is not None:
            for problem in check_options(self.options, self.guest.name):
                name = "stays" if problem.fields[0] in _STAYS_FIELDS else problem.fields[0]
                said.setdefault(name, f"{problem.message} {problem.remedy}".strip())
        return said


def _initial(options: MoveOptions) -> dict[str, Any]:
    data = dump_options(options)
    pair = (options.persistent, options.undefine_source)
    data["stays"] = next(name for name, value in STAYS.items() if value == pair)
    data["migrate_disks"] = " ".join(options.migrate_disks)
    data["storage_map"] = "\n".join(options.storage_map)
    return data


def _option_data(cleaned: dict[str, Any]) -> dict[str, Any]:
    """Cleaned fields → what parse_options takes. A choice that was not sent keeps its default."""
    persistent, undefine_source = STAYS[cleaned["stays"]]
    data: dict[str, Any] = {
        "persistent": persistent,
        "undefine_source": undefine_source,
        "confirmed_name": cleaned["confirmed_name"],
    }
    for option in OPTIONS:
        if option.field in data:
            continue
        value = cleaned[option.field]
        if option.value is Value.CHOICE and not value:
            continue
        is_list = option.value is Value.NAMES and isinstance(value, str)
        data[option.field] = _list_of(option.field, value) if is_list else value
    return data


def _read_places(data: Any, storage: str) -> str:
    """The dialog's fields for each disk → lines of the storage map. A name without a pool is no place, and is said to
    be none."""
    if storage in {"", Storage.SHARED}:
        return ""
    lines = []
    for target in (name.removeprefix(_POOL_OF) for name in data if name.startswith(_POOL_OF)):
        pool, volume = data.get(_POOL_OF + target, ""), data.get(f"disk-name-{target}", "").strip()
        if pool or volume:
            lines.append(f"{target}={pool}/{volume}" if volume else f"{target}={pool}")
    return "\n".join(lines)


def _list_of(field: str, text: str) -> list[str]:
    """A volume may have spaces and commas in its name: places are parted by lines."""
    if field == "storage_map":
        return [line.strip() for line in text.splitlines() if line.strip()]
    return text.replace(",", " ").split()


COMMAND_LINE = "command line"  # who asked when nobody was logged in, see jobs.services.requests
OUTCOMES = (
    ("", "Any outcome"),
    ("active", "still active"),
    (Phase.SUCCEEDED.value, "moved"),
    (Phase.FAILED.value, "not moved"),
    (Phase.CANCELLED.value, "cancelled"),
    (Phase.UNCONFIRMED.value, "not known"),
)
RANGES = (
    ("", "Any time"),
    ("1", "Last 24 hours"),
    ("7", "Last 7 days"),
    ("30", "Last 30 days"),
    ("365", "Last year"),
)

# Key in the address → (title, database order, is a figure). Newest first by default.
COLUMNS: dict[str, tuple[str, str, bool]] = {
    "when": ("When", "requested_at", False),
    "guest": ("Guest", "guest_name", False),
    "from": ("From", "source_name", False),
    "to": ("To", "destination_name", False),
    "kind": ("Kind", "kind", False),
    "outcome": ("Outcome", "phase", False),
    "duration": ("Duration", "duration_ms", True),
    "pause": ("Pause", "downtime_ms", True),
    "who": ("Who", "requested_by_name", False),
}


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    figure: bool
    direction: str  # ascending, descending or "" (not sorted by this)
    query: str  # the address that sorts by this, the other way round if it already does


class HistoryFilter(forms.Form):
    q = forms.CharField(required=False, max_length=200, label="Text")
    host = forms.ChoiceField(required=False, label="Host")
    who = forms.ChoiceField(required=False, label="Person")
    kind = forms.ChoiceField(
        required=False,
        label="Kind",
        choices=[("", "Any kind"), *((k.value, move_view.KINDS[k.value]) for k in Kind)],
    )
    outcome = forms.ChoiceField(required=False, label="Outcome", choices=OUTCOMES)
    days = forms.ChoiceField(required=False, label="Time", choices=RANGES)
    guest = forms.UUIDField(required=False, label="Guest", widget=forms.HiddenInput)
    sort = forms.RegexField(r"^-?[a-z]+$", required=False, widget=forms.HiddenInput)

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query)
        self.query = query
        # Of today's hosts and people: the distinct names of all moves would be read anew for every page. Those
        # that are gone are found by text.
        hosts = Host.objects.values_list("name", flat=True)
        people = get_user_model().objects.values_list("username", flat=True)
        self.fields["host"].choices = _choices("Any host", hosts)  # type: ignore[attr-defined]
        self.fields["who"].choices = _choices("Anyone", [*people, COMMAND_LINE])  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def filtered(self) -> bool:
        return any(value for name, value in self.cleaned_data.items() if name != "sort")

    @property
    def sorted_by(self) -> tuple[str, bool]:
        """Key of the column, and whether it descends."""
        asked = self.cleaned_data.get("sort") or "-when"
        key = asked.removeprefix("-")
        return (key, asked.startswith("-")) if key in COLUMNS else ("when", True)

    def select(self) -> MigrationQuerySet:
        given = self.cleaned_data
        moves = _filter(move_view.search_moves(given.get("q") or ""), given)
        key, descending = self.sorted_by
        sign = "-" if descending else ""
        return moves.order_by(f"{sign}{COLUMNS[key][1]}", "-pk")

    def columns(self) -> list[Column]:
        by, descending = self.sorted_by
        directions = {by: "descending" if descending else "ascending"}
        return [
            Column(
                key,
                title,
                figure,
                directions.get(key, ""),
                self.query_with(sort=self._next_sort(key, figure)),
            )
            for key, (title, _, figure) in COLUMNS.items()
        ]

    def _next_sort(self, key: str, figure: bool) -> str:
        """The other way round for the column sorted by; names begin ascending, all else descending."""
        by, descending = self.sorted_by
        downwards = not descending if key == by else figure or key == "when"
        return f"-{key}" if downwards else key

    def query_without(self, *names: str) -> str:
        """The address's query with the filters as they are, to put another page or order behind it."""
        query = self.query.copy()
        for name in names:
            query.pop(name, None)
        return str(query.urlencode())

    def query_with(self, **values: str) -> str:
        query = self.query.copy()
        query.pop("page", None)
        for name, value in values.items():
            query[name] = value
        return str(query.urlencode())


def _filter(moves: MigrationQuerySet, given: dict[str, Any]) -> MigrationQuerySet:
    exact = {"who": "requested_by_name", "kind": "kind", "guest": "domain_uuid"}
    moves = moves.filter(**{field: given[name] for name, field in exact.items() if given.get(name)})
    if host := given.get("host"):
        moves = moves.filter(source_name=host) | moves.filter(destination_name=host)
    if outcome := given.get("outcome"):
        moves = moves.active() if outcome == "active" else moves.filter(phase=outcome)
    if days := given.get("days"):
        moves = moves.filter(requested_at__gte=timezone.now() - timedelta(days=int(days)))
    return moves


def _choices(anything: str, names: Iterable[str]) -> list[tuple[str, str]]:
    return [("", anything), *((name, name) for name in sorted(names, key=str.casefold))]
