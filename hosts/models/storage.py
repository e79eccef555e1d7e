"""Storage that people keep the same everywhere: pool templates, what was read from pools, and what was ordered."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from hosts.models.inventory import Host
from hosts.secrets import EncryptedJSONField


class HostGroup(models.Model):
    """Hosts that people name together: "rack 3", "web tier"."""

    name = models.CharField(max_length=63, unique=True)
    hosts = models.ManyToManyField(Host, related_name="groups", blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PoolTemplate(models.Model):
    """One recipe for the same pool on many hosts. `xml` is the truth: the form reads it and writes it, and what the
    form does not know stays in it. It may hold the variables of hosts.facts.pool_variables; never a secret."""

    name = models.CharField(max_length=250, unique=True, help_text="The pool's name on every host.")
    note = models.CharField(max_length=500, blank=True)
    xml = models.TextField()
    autostart = models.BooleanField(default=True)
    # Keys: chap_password, ceph_key. Put on the hosts as libvirt secrets, never into the pool's XML.
    secrets = EncryptedJSONField(blank=True, default=dict)
    groups = models.ManyToManyField(HostGroup, related_name="templates", blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TemplatePlacement(models.Model):
    """A host that should have the pool by itself, not by its group, or whose values differ from those of others."""

    template = models.ForeignKey(PoolTemplate, on_delete=models.CASCADE, related_name="placements")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="placements")
    # Chosen by itself. False: the row holds values only, the host comes with a group.
    chosen = models.BooleanField(default=True)
    path = models.CharField(max_length=500, blank=True, help_text="What {{ host.path }} stands for here.")
    device = models.CharField(max_length=500, blank=True, help_text="What {{ host.device }} stands for here.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "host"], name="a_template_is_placed_on_a_host_once")
        ]

    def __str__(self) -> str:
        return f"{self.template} on {self.host}"


class PoolContents(models.Model):
    """When the volumes of one pool on one host were last read; its figures are in the host's facts."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="pool_contents")
    pool_name = models.CharField(max_length=250)
    definition_xml = models.TextField(blank=True)  # the persistent one, as the host returned it
    asked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)  # of the last reading; the rows then are as old as read_at says
    error_remedy = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "pool_name"], name="a_pool_of_a_host_is_read_once")
        ]

    def __str__(self) -> str:
        return f"{self.pool_name} on {self.host}"


class Volume(models.Model):
    """One volume as its host last told. Sizes in bytes."""

    contents = models.ForeignKey(PoolContents, on_delete=models.CASCADE, related_name="volumes")
    name = models.CharField(max_length=500)
    path = models.CharField(max_length=4096)
    format = models.CharField(max_length=40, blank=True)
    capacity_bytes = models.BigIntegerField()
    allocation_bytes = models.BigIntegerField()
    backing_path = models.CharField(max_length=4096, blank=True)
    backing_format = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["contents", "name"], name="a_pool_has_a_volume_once")]

    def __str__(self) -> str:
        return self.name


class StorageRun(models.Model):
    """One wish for many hosts: a template applied, or looked at without changing anything."""

    template = models.ForeignKey(PoolTemplate, null=True, on_delete=models.SET_NULL, related_name="runs")
    template_name = models.CharField(max_length=250)
    template_version = models.PositiveIntegerField(default=0)
    dry = models.BooleanField(default=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-asked_at", "-id"]

    def __str__(self) -> str:
        return f"{self.template_name}: {'dry run' if self.dry else 'apply'} at {self.asked_at:%Y-%m-%d %H:%M}"


class OperationOutcome(models.TextChoices):
    DONE = "done", "done"
    NOT_NEEDED = "not-needed", "not needed"  # it was so already; nothing was changed
    REFUSED = "refused", "refused"  # nothing was changed
    FAILED = "failed", "failed"  # the sentence says what was changed, if anything
    CANCELLED = "cancelled", "cancelled"
    UNKNOWN = "unknown", "not known"  # the host was lost, or the worker ended in the middle


class StorageOperation(models.Model):
    """One order for one pool or volume on one host. Asked → claimed by a worker → ended with an outcome.

    The row is the truth, the task a doorbell: a second delivery finds it claimed. A worker renews `lease_until`;
    what lapses is ended as unknown and its host read again.
    """

    run = models.ForeignKey(StorageRun, null=True, on_delete=models.CASCADE, related_name="operations")
    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="storage_operations")
    kind = models.CharField(max_length=30)  # hosts.services.storage_orders.OperationKind
    pool_name = models.CharField(max_length=250)
    volume_name = models.CharField(max_length=500, blank=True)
    arguments_data = models.JSONField(default=dict)  # no secrets
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    # One dictionary for each step, in order: its name, its state (hosts.services.storage_steps) and what was found.
    steps_data = models.JSONField(default=list)
    done_bytes = models.BigIntegerField(null=True)
    total_bytes = models.BigIntegerField(null=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=OperationOutcome.choices, blank=True)
    sentence = models.TextField(blank=True)  # what was done, or why not
    advice = models.TextField(blank=True)  # what to do next, when it was not done
    libvirt_text = models.TextField(blank=True)  # libvirt's own words

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["host", "pool_name", "volume_name"],
                condition=Q(ended_at=None),
                name="one_operation_under_way_for_a_pool_or_volume",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, outcome="") | (Q(ended_at__isnull=False) & ~Q(outcome="")),
                name="a_storage_operation_ends_with_an_outcome",
            ),
        ]
        indexes = [models.Index(fields=["host", "-asked_at"], name="storage_done_on_a_host")]

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.pool_name} {self.volume_name} on {self.host}: {self.outcome or 'under way'}"
        )
