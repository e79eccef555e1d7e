"""What can go wrong with a host, in the three kinds the product knows: refused, failed, unknown.

Every error carries what a person needs: what happened, what it means, what to do next. libvirt's text is evidence.
"""

from __future__ import annotations

import enum

from hosts.ports import OfferedKey


class ConnectStep(enum.StrEnum):
    """The step of a connection that failed, in the order they are taken."""

    ADDRESS = "address"  # the connection address itself is not usable
    NAME = "name"  # the name does not resolve
    PORT = "port"  # nothing answers on the port (refused, filtered, no route)
    HOST_KEY = "host-key"  # the SSH host key is unknown or changed
    CERTIFICATE = "certificate"  # TLS: not trusted, expired, wrong name, ours refused
    LOGIN = "login"  # key, user or password refused
    DAEMON = "daemon"  # logged in, but no libvirt daemon answers there
    VERSION = "version"  # libvirt too old for this product
    PERMISSION = "permission"  # connected, but not allowed to manage guests


class HostError(Exception):
    """Base of all errors from a host. `message` is for people: what, where. `remedy` says what next."""

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        libvirt_code: int | None = None,
        libvirt_domain: int | None = None,
        libvirt_text: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.libvirt_code = libvirt_code
        self.libvirt_domain = libvirt_domain
        self.libvirt_text = libvirt_text


class HostUnreachable(HostError):
    """No usable connection. Says nothing about the guests there: unreachable is unknown, never absent."""

    def __init__(self, message: str, *, step: ConnectStep = ConnectStep.DAEMON, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.step = step


class HostKeyUnknown(HostUnreachable):
    """First contact: the host offers keys nobody has accepted yet."""

    def __init__(self, message: str, *, offered: tuple[OfferedKey, ...] = (), **details: object) -> None:
        super().__init__(message, step=ConnectStep.HOST_KEY, **details)
        self.offered = offered


class HostKeyChanged(HostKeyUnknown):
    """The host offers another key than the accepted one: refused loudly, may be an attack."""


class Refused(HostError):
    """The host or this product said no before anything was changed."""


class OperationFailed(HostError):
    """An operation was tried and libvirt reported an error. Not an outcome: ask both hosts."""


class OperationAborted(OperationFailed):
    """The operation ended because somebody cancelled it (libvirt code 78)."""


class GuestNotFound(HostError):
    """The host answered and has no such domain."""


class OutcomeUnknown(HostError):
    """It is not known what happened (connection lost, time limit). Both hosts must be asked."""
