"""The layers below the disks of a guest that is shut off: its description says nothing of them, the pools do."""

from __future__ import annotations

from typing import Any, Final

import libvirt

from hosts.facts.domain import DomainFacts
from hosts.facts.storage import parse_volume

MAX_LAYERS: Final = 64  # a longer chain is a loop


def read_layers(domain: Any, facts: DomainFacts) -> dict[str, str]:
    """ "layers.vda" → their paths, one a line, the upper first. Only of images that lie in an active pool."""
    found = {}
    for disk in facts.disks:
        layers = _below(domain.connect(), disk.source_path) if disk.source_path else []
        if layers:
            found[f"layers.{disk.target}"] = "\n".join(layers)
    return found


def _below(virt: Any, path: str) -> list[str]:
    layers: list[str] = []
    while path and len(layers) < MAX_LAYERS:
        try:
            volume = virt.storageVolLookupByPath(path)
            path = parse_volume(volume.XMLDesc(0), pool="").backing_path
        except (libvirt.libvirtError, ValueError):
            return layers
        layers += [path] if path else []
    return layers
