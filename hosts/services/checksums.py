"""What a host says itself of a file's contents, where it can be asked over SSH."""

from __future__ import annotations

import logging
from collections.abc import Callable

from hosts.driver.asking import NotAsked
from hosts.driver.checksum import take_checksum
from hosts.facts.storage import VolumeFacts
from hosts.models import Host
from hosts.services.connections import build_spec

log = logging.getLogger(__name__)


def find_checksum(host: Host, file: VolumeFacts, size_bytes: int, tell: Callable[[int], None]) -> str | None:
    """ "sha256:…" of the whole file, None where the host could not say it. `tell` hears how many bytes are done; what
    it raises ends the work."""
    try:
        return f"sha256:{take_checksum(build_spec(host), file, size_bytes, tell)}"
    except NotAsked as error:
        log.info("%s takes no checksum of %s itself: %s", host.name, file.path, error)
        return None
