"""The rows of this room: hosts and guests as last read, storage people keep the same, and who did what."""

from hosts.models.inventory import (
    DEFAULT_PORT_FIRST,
    DEFAULT_PORT_LAST,
    MOST_MOVES,
    AuditEntry,
    Contact,
    Guest,
    GuestQuerySet,
    Host,
    HostPairReading,
    PairReading,
)
from hosts.models.storage import (
    HostGroup,
    OperationOutcome,
    PoolContents,
    PoolTemplate,
    StorageOperation,
    StorageRun,
    TemplatePlacement,
    Volume,
)

__all__ = [
    "DEFAULT_PORT_FIRST",
    "DEFAULT_PORT_LAST",
    "MOST_MOVES",
    "AuditEntry",
    "Contact",
    "Guest",
    "GuestQuerySet",
    "Host",
    "HostGroup",
    "HostPairReading",
    "OperationOutcome",
    "PairReading",
    "PoolContents",
    "PoolTemplate",
    "StorageOperation",
    "StorageRun",
    "TemplatePlacement",
    "Volume",
]
