"""Forms of volumes: names, sizes with their unit, and a backing file from the pool or by its path."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from hosts.models import Host, PoolContents, Volume
from hosts.services.storage_guard import refuse_bad_name
from hosts.services.storage_kinds import StorageRefused
from hosts.storage_ports import Preallocation, WipeAlgorithm
from hosts.templatetags.ui import size

UNITS = {"MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
FILE_POOLS = frozenset(
    {"dir", "fs", "netfs", "vstorage"}
)  # whose volumes are files, so that they have a format
_TEXT = {"class": "input", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
_PREALLOCATIONS = {
    Preallocation.OFF: "Off: it grows as it is written",
    Preallocation.METADATA: "Metadata: faster first writes, still small",
    Preallocation.FULL: "Full: all of it is taken at once",
}
_ALGORITHMS = {
    WipeAlgorithm.ZERO: "Zeros, once",
    WipeAlgorithm.RANDOM: "Random data, once",
    WipeAlgorithm.NNSA: "NNSA: 4 passes",
    WipeAlgorithm.DOD: "DoD: 4 passes",
    WipeAlgorithm.GUTMANN: "Gutmann: 35 passes",
    WipeAlgorithm.TRIM: "Trim: the storage forgets the blocks, where it can",
}


def check_name(name: str, contents: PoolContents | None) -> str:
    """A name that libvirt and the file system take, and that nothing has yet. Raises ValidationError."""
    try:
        refuse_bad_name(name)
    except StorageRefused as refused:
        raise ValidationError(f"{refused.message} {refused.advice}".strip()) from refused
    if contents is not None and contents.volumes.filter(name=name).exists():
        raise ValidationError(f"{contents.pool_name} has a volume of this name already. Choose another.")
    return name


class _VolumeForm(forms.Form):
    """A form that knows the pool as last read. Names keep their blanks, so that a wrong one is said, not mended."""

    def __init__(self, *args: Any, contents: PoolContents | None, **kwargs: Any) -> None:
        self.contents = contents
        super().__init__(*args, **kwargs)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        for name in self.errors:
            if name in self.fields:
                self.fields[name].widget.attrs["aria-invalid"] = "true"


def _name_field(label: str) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=255, strip=False, widget=forms.TextInput(attrs={**_TEXT, "autofocus": True}),
        error_messages={"required": "Give it a name."},
    )  # fmt: skip


def _amount_field() -> forms.DecimalField:
    return forms.DecimalField(
        label="Size", min_value=Decimal("0.001"), max_value=Decimal(2**20), decimal_places=3,
        widget=forms.NumberInput(attrs={"class": "input", "step": "any", "min": "0", "inputmode": "decimal"}),
        error_messages={"required": "Give a size."},
    )  # fmt: skip


def _unit_field() -> forms.ChoiceField:
    choices = [(unit, unit) for unit in UNITS]
    attrs = {"class": "input", "aria-label": "Unit of the size"}
    return forms.ChoiceField(label="Unit", choices=choices, initial="GiB", widget=forms.Select(attrs=attrs))


def _bytes_of(data: dict[str, Any]) -> int:
    """Whole sectors, rounded up: no image ends within one."""
    count = int(data["amount"] * UNITS[data["unit"]])
    return -(-count // 512) * 512


class CreateForm(_VolumeForm):
    name = _name_field("Name")
    format = forms.ChoiceField(
        label="Format",
        choices=[("qcow2", "qcow2"), ("raw", "raw")],
        widget=forms.Select(attrs={"class": "input"}),
    )
    amount, unit = _amount_field(), _unit_field()
    preallocation = forms.ChoiceField(
        label="Preallocation", choices=[(key.value, words) for key, words in _PREALLOCATIONS.items()],
        widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip
    backing = forms.CharField(
        label="Backing file", required=False, max_length=4096, strip=False,
        help_text="A volume of this pool, or a path on the host. The new volume holds only what differs from it.",
        widget=forms.TextInput(attrs={**_TEXT, "list": "backing-volumes"}),
    )  # fmt: skip
    backing_format = forms.ChoiceField(
        label="Its format", required=False, choices=[("", "As read"), ("qcow2", "qcow2"), ("raw", "raw")],
        widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip

    def __init__(self, *args: Any, pool_type: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_formats = pool_type in FILE_POOLS
        if not self.has_formats:
            for name in ("format", "preallocation", "backing", "backing_format"):
                del self.fields[name]

    def clean_name(self) -> str:
        return check_name(self.cleaned_data["name"], self.contents)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        chosen, wanted = data.get("format", ""), data.get("preallocation", "off")
        if chosen == "raw" and wanted == Preallocation.METADATA:
            self.add_error("preallocation", "A raw volume has no metadata. Choose off or full.")
        if data.get("backing"):
            self._clean_backing(data)
        return data

    def _clean_backing(self, data: dict[str, Any]) -> None:
        path, known = self._find_backing(data["backing"])
        if data.get("format") == "raw":
            self.add_error("backing", "A raw volume has no backing file. Choose the format qcow2.")
        elif data.get("preallocation") != Preallocation.OFF:
            self.add_error("preallocation", "A volume with a backing file is not preallocated. Choose off.")
        if not path:
            self.add_error(
                "backing", "The pool has no such volume. Choose one of its volumes, or give a path from /."
            )
        elif not (data.get("backing_format") or known):
            self.add_error("backing_format", "Say its format: guessing it from the contents would be unsafe.")
        data["backing_path"], data["backing_format"] = path, data.get("backing_format") or known

    def _find_backing(self, said: str) -> tuple[str, str]:
        """Path and format of a volume by its name or its path; ("", "") for a name the pool does not have."""
        rows = (
            Volume.objects.filter(contents=self.contents)
            if self.contents is not None
            else Volume.objects.none()
        )
        row = rows.filter(path=said).first() if said.startswith("/") else rows.filter(name=said).first()
        if row is not None:
            return row.path, row.format
        return (said, "") if said.startswith("/") else ("", "")

    def arguments(self) -> dict[str, Any]:
        """For storage_orders."""
        data = self.cleaned_data
        return {
            "format": data.get("format", ""), "capacity_bytes": _bytes_of(data),
            "preallocation": data.get("preallocation", Preallocation.OFF.value),
            "backing_path": data.get("backing_path", ""),
            "backing_format": data.get("backing_format", "") if data.get("backing_path") else "",
        }  # fmt: skip


class CloneForm(_VolumeForm):
    new_name = _name_field("Name of the copy")

    def __init__(self, *args: Any, volume: Volume, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def clean_new_name(self) -> str:
        return check_name(self.cleaned_data["new_name"], self.contents)

    def arguments(self) -> dict[str, Any]:
        return {"new_name": self.cleaned_data["new_name"]}


class ResizeForm(_VolumeForm):
    amount, unit = _amount_field(), _unit_field()

    def __init__(self, *args: Any, volume: Volume, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.least = volume.capacity_bytes
        unit = next((unit for unit in ("TiB", "GiB") if self.least >= UNITS[unit]), "MiB")
        self.fields["unit"].initial = unit
        self.fields["amount"].initial = (
            (Decimal(self.least) / UNITS[unit]).quantize(Decimal("0.001")).normalize()
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "amount" in data and "unit" in data and _bytes_of(data) <= self.least:
            self.add_error("amount", f"It has {size(self.least)} now, and only grows. Give more than that.")
        return data

    def arguments(self) -> dict[str, Any]:
        return {"capacity_bytes": _bytes_of(self.cleaned_data)}


class WipeForm(_VolumeForm):
    algorithm = forms.ChoiceField(
        label="How", choices=[(key.value, words) for key, words in _ALGORITHMS.items()],
        help_text="All but zeros and trim need the program scrub on the host.",
        widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip
    typed = forms.CharField(
        label="Type the volume's name", max_length=500, strip=False, required=False,
        widget=forms.TextInput(attrs=_TEXT),
    )  # fmt: skip

    def __init__(self, *args: Any, volume: Volume, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.volume = volume

    def clean_typed(self) -> str:
        if self.cleaned_data["typed"] != self.volume.name:
            raise ValidationError("This is not the volume's name. Nothing was wiped.")
        return self.volume.name

    def arguments(self) -> dict[str, Any]:
        return {"algorithm": self.cleaned_data["algorithm"]}


class UploadForm(_VolumeForm):
    """What is asked before the first byte is sent. The file itself goes in slices, by upload.js."""

    name = _name_field("Name of the volume")
    format = forms.ChoiceField(
        label="Format of the file", choices=[("qcow2", "qcow2"), ("raw", "raw")],
        widget=forms.Select(attrs={"class": "input"}),
    )  # fmt: skip
    file_name = forms.CharField(
        max_length=1000, strip=False, widget=forms.HiddenInput, error_messages={"required": "Choose a file."}
    )
    file_size = forms.IntegerField(
        min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput,
        error_messages={"required": "Choose a file.", "min_value": "The file is empty."},
    )  # fmt: skip
    file_stamp = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, pool_type: str, into: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.into = into
        self.fields["name"].widget.attrs.pop("autofocus")  # the file comes first
        if into:
            del self.fields["name"]
        if into or pool_type not in FILE_POOLS:
            del self.fields["format"]

    def clean_name(self) -> str:
        return check_name(self.cleaned_data["name"], self.contents)

    @property
    def volume_name(self) -> str:
        return self.into or str(self.cleaned_data["name"])

    def identity(self, host: Host, pool_name: str) -> str:
        """The same file to the same place is the same upload: an interrupted one is gone on with."""
        data = self.cleaned_data
        return "\n".join(
            (
                str(host.pk),
                pool_name,
                self.volume_name,
                data["file_name"],
                str(data["file_size"]),
                data["file_stamp"],
            )
        )
