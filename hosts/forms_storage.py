"""Forms of storage that is the same everywhere: host groups, and a folder shared by NFS."""

from __future__ import annotations

from typing import Any

from django import forms

from hosts.models import Host, HostGroup

_TYPED = {"class": "input", "autocomplete": "off", "spellcheck": "false"}
_MONO = {**_TYPED, "class": "input mono"}


class GroupForm(forms.ModelForm):
    """A name for some hosts."""

    hosts = forms.ModelMultipleChoiceField(
        Host.objects.defer("credentials", "facts_data", "probe_data"), required=False
    )

    class Meta:
        model = HostGroup
        fields = ("name", "hosts")
        error_messages = {"name": {"unique": "Another group has this name. Choose a different one."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs |= {**_TYPED, "aria-describedby": "id_name_error"}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        mark_invalid(self)


class NfsForm(forms.Form):
    """What is shared, by whom and for whom."""

    server = forms.CharField(
        max_length=255, label="NFS server",
        help_text="Its name or address as the hosts reach it; best on the storage network.",
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "nas.example.org"}),
    )  # fmt: skip
    folder = forms.CharField(
        max_length=500, strip=False, label="Folder on the server",
        help_text="Its whole path there. It is made when it is missing.",
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "/srv/vm"}),
    )  # fmt: skip
    network = forms.CharField(
        required=False, max_length=500, label="Client network",
        help_text="Such as 10.0.0.0/24; several are parted by blanks. Or choose hosts below.",
        widget=forms.TextInput(attrs={**_MONO, "placeholder": "10.0.0.0/24"}),
    )  # fmt: skip
    hosts = forms.ModelMultipleChoiceField(
        Host.objects.defer("credentials", "facts_data", "probe_data"), required=False
    )
    pool = forms.CharField(
        max_length=250, initial="VM", label="Name of the pool on the hosts",
        widget=forms.TextInput(attrs=_TYPED),
    )  # fmt: skip
    target = forms.CharField(
        max_length=500, initial="/mnt/vm", label="Where the hosts mount it",
        help_text="The same path on every host: a guest's disks are found by it.",
        widget=forms.TextInput(attrs=_MONO),
    )  # fmt: skip

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        mark_invalid(self)

    def clean_server(self) -> str:
        server = str(self.cleaned_data["server"]).strip()
        if any(character in server for character in " /@'\"<>\\") or server.startswith("-"):
            raise forms.ValidationError(
                "This is a name or an IP address only, such as 10.0.0.5. Remove everything else."
            )
        return server

    def clean_target(self) -> str:
        target = str(self.cleaned_data["target"])
        if not target.startswith("/"):
            raise forms.ValidationError("This is a whole path, such as /mnt/vm.")
        return target


def mark_invalid(form: forms.BaseForm) -> None:
    """Fields with an error say so to screen readers, too."""
    for name in form.errors:
        if name in form.fields:
            form.fields[name].widget.attrs["aria-invalid"] = "true"
