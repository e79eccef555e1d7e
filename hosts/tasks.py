"""Doorbells for the control and storage workers: ids only, acknowledged early, never retried. The database says what is
true.
"""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.core.cache import cache

from hosts.models import Guest, Host, PoolTemplate
from hosts.services import (
    contents,
    drift,
    host_pairs,
    inventory,
    pairs,
    probing,
    spool,
    storage_orders,
    storage_work,
    testing,
)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def refresh_all_hosts() -> None:
    inventory.request_refresh()


@shared_task(queue="control", time_limit=60, ignore_result=True)
def refresh_host_task(host_id: int) -> None:
    # A dead host takes seconds to find out: one reading of it at a time, or they would fill the queue.
    if not cache.add(f"refreshing-host:{host_id}", 1, timeout=60):
        return
    try:
        host = Host.objects.filter(pk=host_id, enabled=True).first()
        if host is not None and inventory.refresh_host(host):
            probing.request_probe(host)
    finally:
        cache.delete(f"refreshing-host:{host_id}")


@shared_task(queue="control", time_limit=30, ignore_result=True)
def probe_host_task(host_id: int) -> None:
    host = Host.objects.filter(pk=host_id, enabled=True).first()
    if host is not None:
        probing.read_probe(host)


@shared_task(queue="control", time_limit=30, ignore_result=True)
def test_connection_task(token: str) -> None:
    testing.run_test(token)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def read_pair_task(guest_id: int, destination_id: int) -> None:
    guest = Guest.objects.select_related("host").filter(pk=guest_id).first()
    destination = Host.objects.filter(pk=destination_id).first()
    if guest is not None and destination is not None:
        pairs.read_pair(guest, destination)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def read_host_pair_task(source_id: int, destination_id: int) -> None:
    source = Host.objects.filter(pk=source_id, enabled=True).first()
    destination = Host.objects.filter(pk=destination_id, enabled=True).first()
    if source is not None and destination is not None:
        host_pairs.read_host_pair(source, destination)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def read_contents_task(host_id: int, pool_name: str) -> None:
    host = Host.objects.filter(pk=host_id, enabled=True).first()
    if host is not None:
        contents.read_contents(host, pool_name)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def read_template_hosts(template_id: int, anew: int = 0) -> None:
    template = PoolTemplate.objects.filter(pk=template_id).first()
    if template is not None:
        drift.read_hosts(template, anew=bool(anew))


@shared_task(queue="control", time_limit=30, ignore_result=True)
def watch_storage_operations() -> None:
    storage_orders.expire_lapsed()
    storage_orders.ring_waiting()


@shared_task(queue="storage", ignore_result=True)
def run_storage_operation(operation_id: int) -> None:
    """Without a time limit: an upload lasts as long as it lasts, and renews its lease meanwhile."""
    storage_work.run(operation_id)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def sweep_spool() -> None:
    """Uploads that were given up and downloads that nobody fetched."""
    spool.sweep(timedelta(days=1))
