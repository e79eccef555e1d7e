"""What is done: migrations, their transitions and their measured progress."""

from jobs.models.migration import Migration, ProgressPoint, StaleTransition, Transition

__all__ = ["Migration", "ProgressPoint", "StaleTransition", "Transition"]
