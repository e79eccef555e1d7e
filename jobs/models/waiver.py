"""A waiver: a named person accepts one finding for one guest until a date, with a reason."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from hosts.models import Host


class WaiverQuerySet(models.QuerySet["Waiver"]):
    def valid(self) -> WaiverQuerySet:
        return self.filter(valid_until__gt=timezone.now(), withdrawn_at=None)


class Waiver(models.Model):
    domain_uuid = models.UUIDField()
    guest_name = models.CharField(max_length=255)
    destination = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    check_id = models.CharField(max_length=60)
    subject = models.CharField(max_length=300)  # as the finding names it
    reason = models.TextField()
    waived_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    waived_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by_name = models.CharField(max_length=150, blank=True)

    objects = WaiverQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="a_waiver_has_a_reason"),
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("created_at")), name="a_waiver_ends_after_it_begins"
            ),
        ]
        # Each preflight asks for those of one guest.
        indexes = [models.Index(fields=["domain_uuid", "valid_until"], name="waivers_of_a_guest")]

    def __str__(self) -> str:
        return (
            f"{self.check_id} of {self.guest_name} by {self.waived_by_name} until {self.valid_until:%Y-%m-%d}"
        )
