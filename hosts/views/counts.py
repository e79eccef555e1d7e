"""The figures of the status bar."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from hosts.models import Contact, Guest, Host


@dataclass(frozen=True, slots=True)
class Counts:
    hosts: int
    silent: int
    guests: int


def read_counts() -> Counts:
    silent = Q(enabled=True) & ~Q(contact=Contact.REACHABLE)
    hosts = Host.objects.aggregate(all=Count("pk"), silent=Count("pk", filter=silent))
    return Counts(hosts["all"], hosts["silent"], Guest.objects.present().count())
