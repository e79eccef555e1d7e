"""What is done: migrations, their transitions and their measured progress, what people waived and had remedied."""

from jobs.models.migration import Migration, ProgressPoint, StaleTransition, Transition
from jobs.models.remedy import Remedy, RemedyOutcome
from jobs.models.waiver import Waiver

__all__ = [
    "Migration",
    "ProgressPoint",
    "Remedy",
    "RemedyOutcome",
    "StaleTransition",
    "Transition",
    "Waiver",
]
