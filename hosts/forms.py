"""The form of a host. Secrets go in and never come out: the page only says that one is stored."""

from __future__ import annotations

from typing import Any

from django import forms

from hosts.facts.address import ConnectionAddress, parse_address, parse_login, render_address
from hosts.models import Host
from hosts.services.registration import CREDENTIAL_KEYS
from hosts.views.fingerprints import LINE

TRANSPORTS = (
    ("ssh", "SSH"),
    ("tls", "TLS"),
    ("tcp", "TCP (no encryption)"),
    ("libssh2", "SSH (libssh2)"),
    ("libssh", "SSH (libssh)"),
    ("unix", "This machine"),
)
DRIVERS = (("qemu", "QEMU / KVM"), ("xen", "Xen"))
PATHS = (("/system", "/system"), ("/session", "/session"), ("/", "/"))
MAX_KNOWN_HOSTS = 20_000
_KEY_START = "-----BEGIN OPENSSH PRIVATE KEY-----"
_SECRET = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class WriteOnlyText(forms.Textarea):
    """Never renders what it holds, not even what was just typed; the browser keeps that while errors are shown."""

    def format_value(self, value: Any) -> str:
        return ""


class WriteOnlyLine(forms.TextInput):
    """The same in one line."""

    def format_value(self, value: Any) -> str:
        return ""


class HostForm(forms.ModelForm):
    """Name, address, credentials and limits of a host; `credentials` and `cleared` are for the service."""

    ssh_private_key = forms.CharField(
        required=False, max_length=20_000, label="SSH private key",
        help_text="In OpenSSH or PEM format, without a passphrase. A key made for this console is best.",
        widget=WriteOnlyText(attrs={"rows": 4, "class": "input mono", "placeholder": _KEY_START, **_SECRET}),
    )  # fmt: skip
    probe_private_key = forms.CharField(
        required=False, max_length=20_000, label="Private key of the probe login",
        help_text="Empty: the SSH private key of the connection.",
        widget=WriteOnlyText(attrs={"rows": 4, "class": "input mono", "placeholder": _KEY_START, **_SECRET}),
    )  # fmt: skip
    sasl_username = forms.CharField(
        required=False, max_length=255, label="SASL user", widget=WriteOnlyLine(attrs=_SECRET)
    )
    sasl_password = forms.CharField(
        required=False, max_length=1000, label="SASL password", strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    tls_ca = forms.CharField(
        required=False,
        max_length=60_000,
        label="CA certificate",
        widget=WriteOnlyText(attrs={"rows": 3, "class": "input mono", **_SECRET}),
    )
    tls_certificate = forms.CharField(
        required=False,
        max_length=60_000,
        label="Client certificate",
        widget=WriteOnlyText(attrs={"rows": 3, "class": "input mono", **_SECRET}),
    )
    tls_key = forms.CharField(
        required=False,
        max_length=20_000,
        label="Client key",
        widget=WriteOnlyText(attrs={"rows": 3, "class": "input mono", **_SECRET}),
    )
    clear = forms.MultipleChoiceField(required=False, choices=[(key, key) for key in sorted(CREDENTIAL_KEYS)])

    class Meta:
        model = Host
        fields = (
            "name", "address", "peer_address", "probe_address", "known_hosts", "migration_address",
            "migration_port_first", "migration_port_last", "bandwidth_cap_mib_per_s", "max_outgoing", "max_incoming",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            widget = field.widget
            widget.attrs.setdefault("class", "input")
            if name in self.errors:
                widget.attrs |= {"aria-invalid": "true"}
            widget.attrs["aria-describedby"] = f"id_{name}_help id_{name}_error"
        self.fields["address"].widget.attrs |= {
            "class": "input mono",
            "spellcheck": "false",
            "autocomplete": "off",
        }
        self.fields["probe_address"].widget.attrs |= {
            "class": "input mono",
            "spellcheck": "false",
            "autocomplete": "off",
            "placeholder": "ssh://root@mercury.example.org",
        }
        self.fields["name"].help_text = ""
        self.fields["name"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if any(not character.isprintable() for character in name):
            raise forms.ValidationError("The name has characters that cannot be shown. Type it again.")
        return name

    def clean_address(self) -> str:
        return _clean_address(self.cleaned_data["address"])

    def clean_peer_address(self) -> str:
        text = self.cleaned_data["peer_address"]
        return _clean_address(text) if text.strip() else ""

    def clean_probe_address(self) -> str:
        text = str(self.cleaned_data["probe_address"]).strip().rstrip("/")
        if text:
            try:
                parse_login(text)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return text

    def clean_known_hosts(self) -> str:
        text = self.cleaned_data["known_hosts"].strip()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(text) > MAX_KNOWN_HOSTS or not all(LINE.fullmatch(line) for line in lines):
            raise forms.ValidationError(
                "The accepted host keys cannot be read. Test the connection and accept them again."
            )
        return "".join(f"{line}\n" for line in lines)

    def clean_migration_address(self) -> str:
        text = str(self.cleaned_data["migration_address"]).strip()
        if any(character in text for character in " /@?#'\"<>\\") or text.startswith("-"):
            raise forms.ValidationError(
                "This is a name or an IP address only, such as 10.20.0.11. Remove everything else."
            )
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("migration_port_first"), cleaned.get("migration_port_last")
        if first and last and first > last:
            self.add_error(
                "migration_port_last", f"The last port is below the first one ({first}). Give a higher one."
            )
        for name in ("ssh_private_key", "probe_private_key"):
            key = cleaned.get(name, "").strip()
            if key and "PRIVATE KEY-----" not in key:
                self.add_error(
                    name,
                    "This is not a private key: it begins with -----BEGIN. A .pub file is the other half.",
                )
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        for name in self.errors:
            if name in self.fields:
                self.fields[name].widget.attrs["aria-invalid"] = "true"

    @property
    def credentials(self) -> dict[str, str]:
        """What was typed. Keys and certificates end in a line break, as their readers want it."""
        given = {key: self.cleaned_data.get(key, "") for key in CREDENTIAL_KEYS}
        blocks = {"ssh_private_key", "probe_private_key", "tls_ca", "tls_certificate", "tls_key"}
        return {
            key: f"{text.strip()}\n".replace("\r\n", "\n") if text and key in blocks else text
            for key, text in given.items()
        }

    @property
    def cleared(self) -> set[str]:
        return set(self.cleaned_data.get("clear", ()))


def _clean_address(text: str) -> str:
    try:
        return render_address(parse_address(text))
    except ValueError as error:
        raise forms.ValidationError(str(error)) from error


class AddressPartsForm(forms.Form):
    """The parts an address is made of. The whole address is what counts; this only helps to write it."""

    part_driver = forms.ChoiceField(choices=DRIVERS, label="Hypervisor")
    part_transport = forms.ChoiceField(choices=TRANSPORTS, label="Through")
    part_user = forms.CharField(required=False, max_length=128, label="User")
    part_host = forms.CharField(required=False, max_length=255, label="Host")
    part_port = forms.IntegerField(required=False, min_value=1, max_value=65535, label="Port")
    part_path = forms.ChoiceField(choices=PATHS, label="Path")
    part_socket = forms.CharField(required=False, max_length=255, label="Socket")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs |= {"class": "input", "autocomplete": "off", "spellcheck": "false"}
        self.fields["part_user"].widget.attrs["placeholder"] = "root"
        self.fields["part_host"].widget.attrs["placeholder"] = "mercury.example.org"
        self.fields["part_port"].widget.attrs["placeholder"] = "usual"
        self.fields["part_socket"].widget.attrs["placeholder"] = "usual"

    def as_address(self) -> str:
        """The address these parts make. Raises ValueError in words for people."""
        data = self.cleaned_data
        kept = {"parameters": (("socket", data["part_socket"]),) if data["part_socket"] else ()}
        transport = data["part_transport"]
        address = ConnectionAddress(
            driver=data["part_driver"],
            transport="" if transport == "unix" else transport,
            user=data["part_user"],
            host="" if transport == "unix" else data["part_host"].strip("[]"),
            port=None if transport == "unix" else data["part_port"],
            path=data["part_path"],
            **kept,
        )
        return render_address(parse_address(render_address(address)))


def parts_of(address: ConnectionAddress) -> dict[str, Any]:
    """An address → the initial values of AddressPartsForm."""
    return {
        "part_driver": address.driver, "part_transport": address.effective_transport, "part_user": address.user,
        "part_host": address.host, "part_port": address.port, "part_path": address.path, "part_socket": address.socket,
    }  # fmt: skip
