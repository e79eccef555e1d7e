"""What is done: migrations, their transitions and their measured progress, and what people have waived."""

from jobs.models.migration import Migration, ProgressPoint, StaleTransition, Transition
from jobs.models.waiver import Waiver

__all__ = ["Migration", "ProgressPoint", "StaleTransition", "Transition", "Waiver"]
