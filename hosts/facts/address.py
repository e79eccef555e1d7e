"""Connection addresses as libvirt writes them: `qemu+ssh://root@mercury:2222/system?socket=/run/x`. Pure.

Addresses are typed by people and end up in programs that run on the console. Only what can be held harmless
is accepted: a parameter that names a program (`command`, `netcat`), a file on the console or a lowered guard
is refused.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

MAX_ADDRESS_CHARACTERS = 2000

# Driver → paths it knows (libvirt.org/drvqemu.html, drvxen.html; test is libvirt's own built-in driver).
PATHS = {"qemu": ("/system", "/session"), "xen": ("/system", "/"), "test": ("/default",)}
TRANSPORTS = ("", "unix", "ssh", "libssh2", "libssh", "tls", "tcp")
SSH_TRANSPORTS = frozenset({"ssh", "libssh2", "libssh"})

# Ports of remote transports: libvirtd.conf's tcp_port and tls_port, and SSH's own.
DEFAULT_PORTS = {"tcp": 16509, "tls": 16514, "ssh": 22, "libssh2": 22, "libssh": 22}

_PARAMETERS = {
    "socket": re.compile(r"/[\w./@+-]+"),
    "mode": re.compile(r"auto|legacy|direct"),
    "proxy": re.compile(r"auto|netcat|native"),
    "no_tty": re.compile(r"[01]"),
}
_REFUSED = {
    "command": "it would run a program on the console",
    "netcat": "it would run a program of your choice on the host",
    "keyfile": "keys are stored with the host's credentials, not in its address",
    "pkipath": "certificates are stored with the host's credentials, not in its address",
    "known_hosts": "accepted host keys are stored with the host, not in its address",
    "known_hosts_verify": "host keys are always verified",
    "no_verify": "host keys and certificates are always verified",
    "no_sanity": "certificates are always verified",
    "sshauth": "the way to log in follows from the host's credentials",
    "auth": "the way to log in follows from the host's credentials",
    "tls_priority": "it could weaken the encryption",
    "name": "it would hide the address that is really used",
}
# A name that starts with a dash would be read as an option by the programs it is handed to.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@$-]{0,127}")
_SCHEME = re.compile(r"([a-z]+)(?:\+([a-z0-9]+))?")


@dataclass(frozen=True, slots=True)
class ConnectionAddress:
    """One libvirt connection address in parts. `host` is without brackets, "" for the console itself."""

    driver: str
    transport: str = ""
    user: str = ""
    host: str = ""
    port: int | None = None
    path: str = "/system"
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def effective_transport(self) -> str:
        """libvirt's default for an address without one: TLS to another host, the local socket otherwise."""
        return self.transport or ("tls" if self.host else "unix")

    @property
    def effective_port(self) -> int | None:
        return self.port or DEFAULT_PORTS.get(self.effective_transport)

    @property
    def uses_ssh(self) -> bool:
        return self.effective_transport in SSH_TRANSPORTS

    @property
    def socket(self) -> str:
        """The daemon's socket when the address names one."""
        return dict(self.parameters).get("socket", "")


def parse_address(text: str) -> ConnectionAddress:
    """Text as a person or `virsh uri` gives it → parts. Raises ValueError saying what, and what next."""
    cleaned = text.strip()
    if not cleaned:
        raise ValueError("The connection address is empty. An example: qemu+ssh://root@mercury/system")
    if len(cleaned) > MAX_ADDRESS_CHARACTERS or not cleaned.isprintable() or " " in cleaned:
        raise ValueError("The connection address has blanks or control characters, or is too long.")
    driver, transport, rest = _parse_scheme(cleaned)
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"The host or port in {_shown(cleaned)!r} cannot be read: {error}.") from error
    if parts.fragment or "#" in cleaned:
        raise ValueError("The connection address contains '#', which libvirt does not know. Remove it.")
    address = ConnectionAddress(
        driver=driver,
        transport=transport,
        user=_parse_user(parts.username, parts.password),
        host=_parse_host(host),
        port=_parse_port(port),
        path=_parse_path(driver, parts.path),
        parameters=_parse_parameters(parts.query),
    )
    _check_whole(address)
    return address


def parse_login(text: str) -> ConnectionAddress:
    """ssh://USER@HOST[:PORT], a login without libvirt → an address over ssh. Raises ValueError in words for people."""
    scheme, separator, rest = text.strip().partition("://")
    if scheme != "ssh" or not separator or "/" in rest.rstrip("/") or "?" in rest:
        raise ValueError("A probe login looks like ssh://USER@HOST or ssh://USER@HOST:PORT.")
    # The same rules for users, hosts and ports as in a connection address.
    return parse_address(f"qemu+ssh://{rest.rstrip('/')}/system")


def render_address(address: ConnectionAddress) -> str:
    """The parts as text; `parse_address` gives the same parts back."""
    scheme = f"{address.driver}+{address.transport}" if address.transport else address.driver
    user = f"{quote(address.user, safe='')}@" if address.user else ""
    host = f"[{address.host.replace('%', '%25')}]" if ":" in address.host else address.host
    port = f":{address.port}" if address.port else ""
    query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in address.parameters)
    return f"{scheme}://{user}{host}{port}{address.path}{'?' + query if query else ''}"


def _shown(text: str) -> str:
    """The address for a message, without a password somebody typed into it."""
    return re.sub(r"//[^/@]*@", "//…@", text)[:120]


def _parse_scheme(text: str) -> tuple[str, str, str]:
    scheme, separator, rest = text.partition("://")
    match = _SCHEME.fullmatch(scheme)
    if not separator or match is None:
        raise ValueError(
            f"{_shown(text)!r} is not a connection address. It begins like qemu+ssh://, qemu+tls://, "
            "qemu+tcp:// or, for this machine, qemu:///system."
        )
    driver, transport = match.group(1), match.group(2) or ""
    if driver not in PATHS:
        raise ValueError(f"The driver {driver!r} is not supported. Use qemu or xen.")
    if transport not in TRANSPORTS:
        why = " (it would run a program on the console)" if transport == "ext" else ""
        raise ValueError(
            f"The transport {transport!r} is not supported{why}. Use ssh, tls, tcp, libssh2 or unix."
        )
    return driver, transport, rest


def _parse_user(user: str | None, password: str | None) -> str:
    if password is not None:
        raise ValueError("The address contains a password. Remove it: passwords are stored as credentials.")
    name = unquote(user or "")
    if name and not _USER.fullmatch(name):
        raise ValueError(f"The user name {name[:40]!r} in the address has characters that are not allowed.")
    return name


def _parse_host(host: str) -> str:
    if not host:
        return ""
    if ":" in host:
        literal = unquote(host)
        address, _, zone = literal.partition("%")
        if zone and not _HOST.fullmatch(zone):
            raise ValueError(
                f"The interface {zone[:40]!r} of the IPv6 address has characters that are not allowed."
            )
        ipaddress.IPv6Address(address)  # raises ValueError that names the mistake
        return literal
    if not _HOST.fullmatch(host):
        raise ValueError(
            f"The host name {host[:60]!r} has characters that are not allowed. Use letters, digits, . and -"
        )
    return host


def _parse_port(port: int | None) -> int | None:
    if port == 0:
        raise ValueError("Port 0 cannot be connected to. Leave the port out to use the usual one.")
    return port


def _parse_path(driver: str, path: str) -> str:
    if path not in PATHS[driver]:
        known = " or ".join(PATHS[driver])
        raise ValueError(f"The address ends in {path[:40]!r}; for {driver} it ends in {known}.")
    return path


def _parse_parameters(query: str) -> tuple[tuple[str, str], ...]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=10)
    except ValueError as error:
        raise ValueError(
            f"The part after '?' cannot be read: {error}. It looks like ?socket=/path."
        ) from error
    for name, value in pairs:
        _check_parameter(name, value)
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("A parameter after '?' is given twice. Keep one of them.")
    return tuple(pairs)


def _check_parameter(name: str, value: str) -> None:
    if name in _REFUSED:
        raise ValueError(f"The parameter {name!r} is refused: {_REFUSED[name]}. Remove it from the address.")
    rule = _PARAMETERS.get(name)
    if rule is None:
        raise ValueError(f"The parameter {name[:40]!r} is not known. Known are: {', '.join(_PARAMETERS)}.")
    if not rule.fullmatch(value) or ".." in value:
        raise ValueError(f"The value {value[:60]!r} of the parameter {name!r} is not allowed.")


def _check_whole(address: ConnectionAddress) -> None:
    transport = address.transport
    if transport == "unix" and address.host:
        raise ValueError("A unix connection stays on this machine: remove the host, or use ssh, tls or tcp.")
    if transport not in {"", "unix"} and not address.host:
        raise ValueError(
            f"A {transport} connection needs a host: {address.driver}+{transport}://HOST{address.path}"
        )
    if address.user and not address.uses_ssh:
        raise ValueError(
            "Only ssh connections have a user in the address. A SASL user is stored as a credential."
        )
    if address.port and not address.host:
        raise ValueError("The address has a port but no host.")
    if address.driver == "test" and (address.host or transport):
        raise ValueError("libvirt's test driver works on this machine only: test:///default")
