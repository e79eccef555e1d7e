"""The form of a pool template: fields made from the table of pool types, and what is not in the pool's XML.

Nothing is required here: the XML beside the form follows every half-typed word, and hosts.facts.pool_template says
what is missing before anything is saved.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms

from hosts.facts.pool_template import POOL_TYPES, PoolField, PoolForm, PoolType, PoolValue
from hosts.forms import WriteOnlyLine
from hosts.forms_storage import mark_invalid
from hosts.models import Host, HostGroup, PoolTemplate

PREFIX: Final = "pool"
MAX_XML: Final = 256 * 1024
# Pool type → (the key in PoolTemplate.secrets, how people call it).
SECRETS: Final = {"iscsi": "chap_password", "iscsi-direct": "chap_password", "rbd": "ceph_key"}
SECRET_KEYS: Final = ("ceph_key", "chap_password")
TYPE_CHOICES: Final = [(kind.name, kind.label) for kind in POOL_TYPES]
_TYPED = {"class": "input", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
_WORDS = {"": "as usual", "auto": "auto (found out)"}


class PoolFieldsForm(forms.Form):
    """The fields of one pool type."""

    def __init__(self, kind: PoolType, data: Any = None) -> None:
        super().__init__(data, prefix=PREFIX)
        self.kind = kind
        for item in kind.fields:
            self.fields[item.field] = _build_field(item)

    def read(self) -> PoolForm:
        """What was typed. Only after is_valid, which refuses nothing but what is too long or was never offered."""
        given: dict[str, Any] = {
            item.field: _value(item, self.cleaned_data.get(item.field, "")) for item in self.kind.fields
        }
        return PoolForm(type=self.kind.name, **{name: value for name, value in given.items() if value})

    def plain(self) -> list[tuple[forms.BoundField, bool]]:
        """Each with whether it may stay empty."""
        return [(self[item.field], not item.required) for item in self.kind.fields if not item.advanced]

    def advanced(self) -> list[forms.BoundField]:
        return [self[item.field] for item in self.kind.fields if item.advanced]

    def advanced_open(self) -> bool:
        """Folded only while everything in it is as libvirt has it by itself."""
        usual = {"owner": "-1", "group": "-1", "source_format": self.kind.default_format}
        values = {field.name: str(field.value() or "") for field in self.advanced()}
        return any(field.errors for field in self.advanced()) or any(
            value and value != usual.get(name) for name, value in values.items()
        )


def initial_of(form: PoolForm, kind: PoolType) -> dict[str, str]:
    """A PoolForm → the initial values of PoolFieldsForm."""
    values = ((item.field, getattr(form, item.field)) for item in kind.fields)
    return {name: "\n".join(value) if isinstance(value, tuple) else str(value) for name, value in values}


def _build_field(item: PoolField) -> forms.Field:
    attributes = {**_TYPED, "placeholder": item.example, "aria-describedby": f"id_{PREFIX}-{item.field}_help "
                  f"id_{PREFIX}-{item.field}_error", "title": item.element}  # fmt: skip
    common: dict[str, Any] = {"required": False, "label": item.label, "help_text": item.help}
    if item.value is PoolValue.CHOICE:
        choices = [(value, _WORDS.get(value, value)) for value in item.choices]
        widget: forms.Widget = forms.Select(attrs={"class": "input", "title": item.element})
        return OpenChoice(choices=choices, widget=widget, **common)
    if item.value is PoolValue.LINES and item.most != 1:
        attributes |= {"rows": "2", "class": "input mono"}
        return forms.CharField(widget=forms.Textarea(attrs=attributes), max_length=8000, **common)
    if item.field != "name":
        attributes["class"] = "input mono"
    return forms.CharField(widget=forms.TextInput(attrs=attributes), max_length=1000, strip=False, **common)


class OpenChoice(forms.ChoiceField):
    """A value that XML brought along and the list does not hold is kept, and offered beside the others."""

    def valid_value(self, value: str) -> bool:
        return len(str(value)) <= 100

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        bound = super().get_bound_field(form, field_name)
        now = str(bound.value() or "")
        offered: list[Any] = list(self.choices)  # type: ignore[arg-type]
        if now not in {str(value) for value, _ in offered}:
            self.choices = [*offered, (now, now or _WORDS[""])]
        return bound


def _value(item: PoolField, text: str) -> str | tuple[str, ...]:
    if item.value is not PoolValue.LINES:
        return text
    return tuple(line for line in text.replace("\r", "").split("\n") if line.strip())


class TemplateForm(forms.ModelForm):
    """What a template is besides its XML: a note, autostart, secrets, and where it should be."""

    chap_password = forms.CharField(
        required=False, max_length=1000, strip=False, label="CHAP password", widget=WriteOnlyLine(attrs=_TYPED),
        help_text="Put on each host as a libvirt secret, encrypted here, never in the XML.",
    )  # fmt: skip
    ceph_key = forms.CharField(
        required=False, max_length=1000, label="Ceph key", widget=WriteOnlyLine(attrs=_TYPED),
        help_text="As “ceph auth get-key client.libvirt” prints it, in base64.",
    )  # fmt: skip
    clear = forms.MultipleChoiceField(required=False, choices=[(key, key) for key in SECRET_KEYS])
    hosts = forms.ModelMultipleChoiceField(
        Host.objects.defer("credentials", "facts_data", "probe_data"), required=False
    )
    groups = forms.ModelMultipleChoiceField(HostGroup.objects.all(), required=False)

    class Meta:
        model = PoolTemplate
        fields = ("note", "autostart")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].widget.attrs |= {**_TYPED, "placeholder": "What it is for"}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        mark_invalid(self)

    @property
    def secrets(self) -> dict[str, str]:
        return {key: self.cleaned_data.get(key, "") for key in SECRET_KEYS}

    @property
    def cleared(self) -> set[str]:
        return set(self.cleaned_data.get("clear", ()))
