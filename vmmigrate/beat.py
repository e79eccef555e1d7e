"""Celery's scheduler, which leaves a sign of life for health checks."""

from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler


def sign_of_life(schedule: str) -> Path:
    """The file whose age says when the scheduler that keeps `schedule` last looked what is due."""
    return Path(f"{schedule}.alive")


class WatchedScheduler(PersistentScheduler):
    schedule_filename: str  # not in the stubs

    def tick(self, *arguments: Any, **options: Any) -> float:
        seconds = float(super().tick(*arguments, **options))
        sign_of_life(self.schedule_filename).touch()
        return seconds
