"""What exists: hosts, how to reach them, and what was last read from them. Nothing here is deleted by silence."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from hosts.facts.domain import GuestReading
from hosts.facts.host import HostFacts
from hosts.facts.probe import HostProbe
from hosts.parsed import parse_once
from hosts.secrets import EncryptedJSONField

# libvirt's own default range (qemu.conf migration_port_min, migration_port_max).
DEFAULT_PORT_FIRST, DEFAULT_PORT_LAST = 49152, 49215
# libvirtd's max_workers is 20 and each move holds one on either side; far below leaves room for everyone else.
MOST_MOVES = 10
_port = [MinValueValidator(1), MaxValueValidator(65535)]
_moves = [MinValueValidator(1), MaxValueValidator(MOST_MOVES)]


class Contact(models.TextChoices):
    NEVER = "never", "never reached"
    REACHABLE = "reachable", "reachable"
    SILENT = "silent", "silent"


class Host(models.Model):
    """A libvirt daemon people move guests from and to. `address` holds no secret; those are in `credentials`."""

    name = models.CharField(max_length=63, unique=True, help_text="How people call this host.")
    address = models.CharField(max_length=500, help_text="Connection address as libvirt writes it.")
    peer_address = models.CharField(
        max_length=500,
        blank=True,
        help_text="How other hosts reach this one in peer-to-peer moves; empty: made from the connection address.",
    )
    probe_address = models.CharField(
        max_length=500,
        blank=True,
        help_text="ssh://USER@HOST[:PORT] to ask the host what libvirt cannot tell; empty: the connection address, "
        "where it goes over SSH.",
    )
    enabled = models.BooleanField(default=True)
    # Keys: probe_private_key, ssh_private_key, sasl_username, sasl_password, tls_ca, tls_certificate, tls_key.
    credentials = EncryptedJSONField(blank=True, default=dict)
    known_hosts = models.TextField(blank=True, help_text="Accepted SSH host keys, one known_hosts line each.")
    migration_address = models.CharField(
        max_length=255,
        blank=True,
        help_text="Name or IP of the migration network; empty: the host's own name.",
    )
    migration_port_first = models.PositiveIntegerField(default=DEFAULT_PORT_FIRST, validators=_port)
    migration_port_last = models.PositiveIntegerField(default=DEFAULT_PORT_LAST, validators=_port)
    bandwidth_cap_mib_per_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    max_outgoing = models.PositiveSmallIntegerField(default=2, validators=_moves)
    max_incoming = models.PositiveSmallIntegerField(default=2, validators=_moves)

    contact = models.CharField(max_length=10, choices=Contact.choices, default=Contact.NEVER)
    contact_error = models.TextField(blank=True)
    contact_error_remedy = models.TextField(blank=True)
    contact_step = models.CharField(max_length=20, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    facts_data = models.JSONField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    probe_data = models.JSONField(null=True, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(migration_port_first__lte=F("migration_port_last")),
                name="migration_port_range_runs_upwards",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def facts(self) -> HostFacts | None:
        return None if self.facts_data is None else parse_once(self.facts_data, HostFacts)

    @property
    def probe(self) -> HostProbe | None:
        return None if self.probe_data is None else parse_once(self.probe_data, HostProbe)

    @property
    def silent(self) -> bool:
        return self.contact != Contact.REACHABLE

    @property
    def migration_ports(self) -> tuple[int, int]:
        return self.migration_port_first, self.migration_port_last


class GuestQuerySet(models.QuerySet["Guest"]):
    def present(self) -> GuestQuerySet:
        return self.filter(gone_at=None)


class Guest(models.Model):
    """One domain as one host last told it. A guest that moved has a row on either host; `gone_at` says since when
    a host that answers no longer knows it."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="guests")
    domain_uuid = models.UUIDField()
    name = models.CharField(max_length=255)
    state = models.CharField(max_length=20)
    state_reason = models.CharField(max_length=40, blank=True)
    persistent = models.BooleanField()
    memory_bytes = models.BigIntegerField()
    vcpus = models.PositiveIntegerField()
    # Of all its interfaces, separated by blanks: asked for by every check for clashes.
    macs = models.TextField(blank=True, default="")
    reading_data = models.JSONField()
    read_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = GuestQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["host", "domain_uuid"], name="a_host_knows_a_domain_once"),
        ]
        # The tree and the clash checks list what a host has now.
        indexes = [models.Index(fields=["host", "gone_at", "name"], name="guests_of_a_host_now")]

    def __str__(self) -> str:
        return self.name

    @property
    def reading(self) -> GuestReading:
        return parse_once(self.reading_data, GuestReading)


class PairReading(models.Model):
    """What only a destination (and the source, looking at it) can say about one guest: CPU, volumes, peer login."""

    domain_uuid = models.UUIDField()
    source = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    destination = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    destination_reading_data = models.JSONField(null=True)
    peer_probe_data = models.JSONField(null=True)
    disk_capacity_data = models.JSONField(default=dict)  # disk target → bytes, as the source says
    error = models.TextField(blank=True)
    asked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["domain_uuid", "source", "destination"], name="one_reading_for_a_guest_and_a_pair"
            )
        ]

    def __str__(self) -> str:
        return f"{self.domain_uuid}: {self.source} → {self.destination}"


class HostPairReading(models.Model):
    """What two hosts say of each other without a guest: each other's processor, names, ports and login."""

    source = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    destination = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="+")
    destination_cpu_data = models.JSONField(
        null=True
    )  # CpuComparison: the source's processor, at the destination
    source_cpu_data = models.JSONField(null=True)  # the other way round
    peer_probe_data = models.JSONField(null=True)
    error = models.TextField(blank=True)
    asked_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "destination"], name="one_reading_for_a_pair_of_hosts")
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.destination}"


class AuditEntry(models.Model):
    """One action that changed something or was refused: who, what, on which object, before and after."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=150)  # kept when the account is gone
    action = models.CharField(max_length=60)  # remedy.eject-media, waiver.give, …
    object_name = models.CharField(max_length=300)  # "guest web01 on mercury"
    sentence = models.TextField()  # as people read it
    before_data = models.JSONField(default=dict)
    after_data = models.JSONField(default=dict)
    outcome = models.CharField(max_length=10)  # done, refused, failed, unknown

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name}: {self.sentence}"
