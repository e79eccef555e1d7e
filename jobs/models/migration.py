"""The row is the truth: one migration, from the request to what was proven at the end."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from hosts.models import Host
from hosts.secrets import EncryptedJSONField
from jobs.engine.phases import ACTIVE, ENDED, Phase, can_advance


class StaleTransition(Exception):
    """Somebody else has changed this migration meanwhile; whoever gets this must stop writing."""


class MigrationQuerySet(models.QuerySet["Migration"]):
    def active(self) -> MigrationQuerySet:
        return self.filter(phase__in=ACTIVE)

    def ended(self) -> MigrationQuerySet:
        return self.filter(phase__in=ENDED)


class Migration(models.Model):
    """Names are kept beside the foreign keys: history must stay readable when a host is removed."""

    domain_uuid = models.UUIDField()
    guest_name = models.CharField(max_length=255)
    source = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL, related_name="outgoing")
    destination = models.ForeignKey(Host, null=True, on_delete=models.SET_NULL, related_name="incoming")
    source_name = models.CharField(max_length=63)
    destination_name = models.CharField(max_length=63)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    requested_at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500, blank=True)
    kind = models.CharField(max_length=10)
    options_data = models.JSONField()
    plan_data = models.JSONField(default=dict)
    plan_digest = models.CharField(max_length=64, blank=True)
    virsh_line = models.TextField(blank=True)
    findings_data = models.JSONField(default=list)  # of the last preflight, at run time once it ran

    phase = models.CharField(max_length=20, choices=[(p.value, p.value) for p in Phase], default=Phase.QUEUED)
    phase_since = models.DateTimeField(default=timezone.now)
    # Every visible change counts up; a browser drops what is older than what it shows.
    version = models.PositiveBigIntegerField(default=1)
    worker = models.CharField(max_length=100, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    progress_data = models.JSONField(default=dict)
    # Both definitions as they were before the start, with secrets, so that nothing can ever be lost.
    saved_xml = EncryptedJSONField(blank=True, default=dict)
    source_autostart = models.BooleanField(null=True)

    # jobs.engine.volumes: what was prepared at the destination for copied disks, each written before libvirt is asked.
    volumes_data = models.JSONField(default=list)

    verdict = models.CharField(max_length=20, blank=True)
    source_state = models.CharField(max_length=100, blank=True)
    destination_state = models.CharField(max_length=100, blank=True)
    outcome_sentence = models.TextField(blank=True)
    help_desk_sentence = models.TextField(blank=True)
    error_text = models.TextField(blank=True)  # libvirt's own words
    error_meaning = models.TextField(blank=True)
    error_remedy = models.TextField(blank=True)
    verified_data = models.JSONField(default=list)  # sentences: what was checked on which host
    leftovers_data = models.JSONField(default=list)  # sentences: what could not be removed
    duration_ms = models.PositiveBigIntegerField(null=True)
    downtime_ms = models.PositiveBigIntegerField(null=True)
    statistics_data = models.JSONField(default=dict)  # libvirt's completed job statistics

    objects = MigrationQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain_uuid"],
                condition=Q(phase__in=[p.value for p in Phase if p in ACTIVE]),
                name="one_active_migration_for_a_domain",
            ),
        ]
        indexes = [
            models.Index(fields=["-requested_at"], name="history_newest_first"),
            models.Index(fields=["phase", "lease_until"], name="lapsed_leases"),
        ]

    def __str__(self) -> str:
        return f"{self.guest_name}: {self.source_name} → {self.destination_name}"

    @property
    def active(self) -> bool:
        return self.phase in ACTIVE

    def advance(self, new: Phase, sentence: str, **changes: Any) -> None:
        """Change the phase by compare-and-set on phase and epoch, with its Transition. Raises StaleTransition."""
        old = Phase(self.phase)
        if not can_advance(old, new):
            raise StaleTransition(f"{self}: {old} cannot become {new}")
        now = timezone.now()
        changes |= {"phase": new, "phase_since": now}
        if new in ENDED:
            changes |= {"ended_at": now, "lease_until": None}
        with transaction.atomic():
            self.write(old=old, **changes)
            Transition.objects.create(
                migration=self, old=old, new=new, at=now, sentence=sentence, worker=self.worker
            )

    def write(self, old: Phase | None = None, **changes: Any) -> None:
        """Write fields if this row still is in the phase and epoch this object knows. Raises StaleTransition."""
        held = Migration.objects.filter(pk=self.pk, phase=old or self.phase, epoch=self.epoch)
        if held.update(version=F("version") + 1, **changes) != 1:
            raise StaleTransition(f"{self}: changed by somebody else")
        for name, value in changes.items():
            setattr(self, name, value)
        self.version += 1


class Transition(models.Model):
    """One line of the timeline."""

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="transitions")
    old = models.CharField(max_length=20)
    new = models.CharField(max_length=20)
    at = models.DateTimeField()
    sentence = models.TextField()
    worker = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.sentence}"


class ProgressPoint(models.Model):
    """The thin series behind the chart: at most one a second."""

    migration = models.ForeignKey(Migration, on_delete=models.CASCADE, related_name="points")
    at_ms = models.PositiveBigIntegerField()  # since the start of the transfer
    remaining_bytes = models.BigIntegerField(null=True)
    transfer_bytes_per_s = models.BigIntegerField(null=True)
    dirty_bytes_per_s = models.BigIntegerField(null=True)
    percent = models.FloatField(null=True)

    class Meta:
        ordering = ["at_ms", "id"]

    def __str__(self) -> str:
        return f"{self.at_ms} ms: {self.percent} %"
