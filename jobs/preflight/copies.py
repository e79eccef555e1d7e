"""What the checks of copied disks share. Pure."""

from __future__ import annotations

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import VolumeFacts
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import copied_disks, folder_of
from jobs.preflight.registry import NotEvaluated


def copied(context: PreflightContext) -> tuple[DiskFacts, ...]:
    return copied_disks(context.guest.facts, context.options)


def volume_there(context: PreflightContext, path: str) -> VolumeFacts | None:
    """None: nothing there. Raises NotEvaluated when it could not be looked up."""
    there = context.destination.name
    if context.destination_reading is None:
        raise NotEvaluated(
            f"what {there} has at the guest's disk paths", f"Check again when {there} answers."
        )
    if path not in context.destination_reading.volumes:
        how = f"Define and start a storage pool on {there} for {folder_of(path)}."
        raise NotEvaluated(f"whether {there} already has {path}", how)
    return context.destination_reading.volumes[path]
