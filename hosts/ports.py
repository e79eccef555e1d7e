"""Protocols: everything anyone may ask of a host and a guest, without knowing libvirt.

The driver (hosts.driver) implements them. All calls may raise hosts.errors.HostError subclasses and nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hosts.facts.domain import DomainStatus, GuestReading
from hosts.facts.host import HostFacts
from hosts.facts.jobstats import JobStats
from hosts.facts.storage import VolumeFacts

if TYPE_CHECKING:
    from hosts.storage_ports import StoragePort


class MigrateFlag(enum.StrEnum):
    """virDomainMigrateFlags by libvirt's own names (VIR_MIGRATE_…)."""

    LIVE = "LIVE"
    PEER2PEER = "PEER2PEER"
    TUNNELLED = "TUNNELLED"
    PERSIST_DEST = "PERSIST_DEST"
    UNDEFINE_SOURCE = "UNDEFINE_SOURCE"
    PAUSED = "PAUSED"
    NON_SHARED_DISK = "NON_SHARED_DISK"
    NON_SHARED_INC = "NON_SHARED_INC"
    NON_SHARED_SYNCHRONOUS_WRITES = "NON_SHARED_SYNCHRONOUS_WRITES"
    CHANGE_PROTECTION = "CHANGE_PROTECTION"
    UNSAFE = "UNSAFE"
    OFFLINE = "OFFLINE"
    COMPRESSED = "COMPRESSED"
    ABORT_ON_ERROR = "ABORT_ON_ERROR"
    AUTO_CONVERGE = "AUTO_CONVERGE"
    RDMA_PIN_ALL = "RDMA_PIN_ALL"
    POSTCOPY = "POSTCOPY"
    POSTCOPY_RESUME = "POSTCOPY_RESUME"
    TLS = "TLS"
    PARALLEL = "PARALLEL"
    ZEROCOPY = "ZEROCOPY"


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """What libvirt is asked to do, complete and literal.

    `parameters` uses libvirt's typed parameter names (VIR_MIGRATE_PARAM_* values: migrate_uri, destination_name,
    bandwidth, …; `migrate_disks` and `compression` are tuples of strings). `destination_uri` is the address
    as the coordinator sees it: the source's libvirtd in peer-to-peer, otherwise unused.
    """

    domain_uuid: str
    flags: frozenset[MigrateFlag]
    # May hold XML with the passwords of displays: never in a repr, never in a log.
    parameters: Mapping[str, int | str | tuple[str, ...]] = field(default_factory=dict, repr=False)
    destination_uri: str = ""


@dataclass(frozen=True, slots=True)
class CpuComparison:
    """Answer of the destination to "can you run this CPU": identical, superset, incompatible, unknown."""

    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DestinationReading:
    """What only the destination can say about one guest."""

    cpu: CpuComparison
    volumes: Mapping[
        str, VolumeFacts | None
    ]  # disk path → what the destination's pools know (None: nothing there)


@dataclass(frozen=True, slots=True)
class Change:
    """What a remedy did, proven by reading again. `changed` False: it was done already, nothing was touched."""

    changed: bool
    says: str  # a sentence for people
    before: Mapping[str, str]
    after: Mapping[str, str]


class GuestPort(Protocol):
    """One domain on one host."""

    domain_uuid: str

    def read_status(self) -> DomainStatus: ...
    def read_xml(self, *, secure: bool = False, inactive: bool = False, migratable: bool = False) -> str: ...
    def read_job(self) -> JobStats | None: ...
    def read_completed_job(self) -> JobStats | None: ...
    def transfer(self, order: TransferOrder, destination: HostPort | None) -> None:
        """Blocks until libvirt returns. Peer-to-peer uses order.destination_uri, direct the destination's connection.
        An error is not an outcome. Occupies one request of this connection for its whole life: poll on another."""

    def abort_job(self, *, postcopy: bool = False) -> None: ...
    def set_max_downtime(self, milliseconds: int) -> None: ...
    def set_bandwidth(self, mib_per_s: int) -> None: ...
    def start_postcopy(self) -> None: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...
    def destroy(self) -> None: ...
    def undefine(self) -> None: ...
    def set_autostart(self, autostart: bool) -> None: ...
    def read_copy_job(self, target: str) -> tuple[int, int] | None:
        """(bytes done, bytes in all) of the copy of one disk that runs now, None when there is none."""

    def eject_media(self, target: str) -> Change: ...
    def set_cache_none(self, target: str) -> Change: ...
    def measure_dirty_rate(self) -> bool:
        """Begin to measure how fast a running guest changes its memory, without waiting; the next reading of this guest
        alone has it in `extra`. False: it cannot be measured now."""


class HostPort(Protocol):
    """One open connection to one host."""

    def read_facts(self) -> HostFacts: ...
    def read_guests(self) -> tuple[GuestReading, ...]: ...
    def find_guest(self, domain_uuid: str) -> GuestPort | None: ...
    def find_guest_reading(self, domain_uuid: str) -> GuestReading | None: ...
    def read_for_guest(self, guest: GuestReading, *, disk_paths: tuple[str, ...]) -> DestinationReading: ...
    def compare_host_cpu(self, other: HostPort) -> CpuComparison:
        """Whether this host can give its guests the processor that `other` gives its own (host-model)."""

    @property
    def storage(self) -> StoragePort:
        """Pools and volumes, over this connection."""

    def define_guest(self, xml: str) -> None: ...
    def start_network(self, name: str) -> Change: ...
    def start_pool(self, name: str) -> Change: ...
    def read_pool_xml(self, name: str) -> str: ...
    def create_pool(self, source_xml: str) -> Change: ...
    def create_volume(self, pool: str, name: str, *, format_name: str, capacity_bytes: int) -> Change: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ConnectionSpec:
    """How to open a connection: the address, and credentials that never show in a repr or a log."""

    name: str  # the product's name of the host, for messages
    address: str
    ssh_private_key: str = field(default="", repr=False)
    known_hosts: str = ""  # accepted SSH host keys, known_hosts lines
    sasl_username: str = field(default="", repr=False)
    sasl_password: str = field(default="", repr=False)
    tls_ca: str = field(default="", repr=False)
    tls_certificate: str = field(default="", repr=False)
    tls_key: str = field(default="", repr=False)
    # The login for what libvirt cannot tell, where it is not that of the connection: ssh://USER@HOST[:PORT]
    probe_address: str = ""
    probe_private_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """One SSH host key as the host offers it. `line` is the known_hosts line."""

    algorithm: str
    fingerprint: str  # SHA256:…
    line: str


class StepState(enum.StrEnum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ConnectionStep:
    step: str  # ConnectStep value
    state: StepState
    words: str  # what was found
    remedy: str = ""  # what to do, exact commands where there are some


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """The result of "Test connection", step by step. `offered_keys` when the host's SSH key is unknown or changed."""

    ok: bool
    steps: tuple[ConnectionStep, ...]
    offered_keys: tuple[OfferedKey, ...] = ()
    key_changed: bool = False
    duration_ms: int = 0


Opener = Callable[[], HostPort]
