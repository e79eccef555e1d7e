"""A remedy that a person has confirmed: what is to be done, who asked, and what came of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hosts.models import Guest, Host


class RemedyOutcome(models.TextChoices):
    DONE = "done", "done"
    NOT_NEEDED = "not-needed", "not needed"  # found done already, or no longer offered; nothing was changed
    REFUSED = "refused", "refused"  # nothing was changed
    FAILED = "failed", "failed"  # the sentence says what was changed, if anything
    UNKNOWN = "unknown", "not known"  # the host was lost, or the worker ended in the middle


class Remedy(models.Model):
    """One order. Asked → claimed by a worker → ended with an outcome → checked again.

    `target` names what is changed on which host: the database lets one order for it be under way.
    """

    guest = models.ForeignKey(Guest, on_delete=models.CASCADE, related_name="+")
    destination = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")  # where something changes
    check_id = models.CharField(max_length=60)
    subject = models.CharField(max_length=300)
    fix_kind = models.CharField(max_length=30)
    fix_digest = models.CharField(max_length=64)  # of exactly what was confirmed
    label = models.CharField(max_length=300)
    says = models.TextField()
    target = models.CharField(max_length=64)
    options_data = models.JSONField()  # the findings were those of a move with these options
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=RemedyOutcome.choices, blank=True)
    sentence = models.TextField(blank=True)  # what was done, or why not
    advice = models.TextField(blank=True)  # what to do next, when it was not done
    checked_at = models.DateTimeField(null=True, blank=True)  # the findings were looked for again

    class Meta:
        verbose_name_plural = "remedies"
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target"], condition=Q(ended_at=None), name="one_remedy_under_way_for_a_thing"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="") | (Q(ended_at__isnull=False) & ~Q(outcome="")),
                name="a_remedy_ends_with_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} on {self.host}: {self.outcome or 'under way'}"
