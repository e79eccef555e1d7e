"""The secret that a pool's definition refers to. Pure; never the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hosts.facts.xml import attribute_of, parse_xml

# <auth type='…'> of a pool → the usage type of the libvirt secret it means.
USAGE_TYPES: Final = {"chap": "iscsi", "ceph": "ceph"}


@dataclass(frozen=True, slots=True)
class PoolSecret:
    usage_type: str  # iscsi, ceph
    usage_name: str
    secret_uuid: str  # "" when named by usage


def find_pool_secret(xml: str) -> PoolSecret | None:
    """What <source><auth> names; None for a pool without. Raises ValueError."""
    root = parse_xml(xml, root="pool")
    usage_type = USAGE_TYPES.get(attribute_of(root, "source/auth", "type"))
    if usage_type is None:
        return None
    usage, secret_uuid = (attribute_of(root, "source/auth/secret", name) for name in ("usage", "uuid"))
    return PoolSecret(usage_type, usage, secret_uuid)
