"""One process of the queue's test: threads that are offered every move twice, in an order of their own.

Each claimed move is noted with the slots in use as its claimer sees them, held for a moment, and ended.
Usage: queue_worker.py THREADS SECONDS → one JSON line {"claimed": [ids], "over": [what exceeded a slot]}
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from hosts.models import Host  # noqa: E402
from jobs import queue  # noqa: E402
from jobs.engine.phases import Phase  # noqa: E402
from jobs.models import Migration  # noqa: E402

claimed: list[int] = []
over: list[str] = []
errors: list[str] = []


def look_for_too_many() -> None:
    with transaction.atomic():  # one snapshot of both counts, with the hosts held still
        for host in Host.objects.select_for_update().order_by("pk"):
            begun = Migration.objects.filter(phase__in=queue.BEGUN)
            out, into = begun.filter(source=host).count(), begun.filter(destination=host).count()
            if out > host.max_outgoing or into > host.max_incoming:
                over.append(f"{host.name}: {out} out, {into} in")


def work(deadline: float) -> None:
    try:
        while time.monotonic() < deadline and Migration.objects.active().exists():
            waiting = list(Migration.objects.filter(phase=Phase.QUEUED).values_list("pk", flat=True)) * 2
            random.shuffle(waiting)
            for pk in waiting:
                take(pk)
            threading.Event().wait(random.uniform(0, 0.05))  # noqa: S311 (a bell is not rung without end)
    except Exception as error:  # noqa: BLE001 (told to the test)
        errors.append(repr(error))
    finally:
        connection.close()


def take(pk: int) -> None:
    migration = queue.claim_queued(pk)
    if migration is None:
        return
    claimed.append(pk)
    look_for_too_many()
    threading.Event().wait(random.uniform(0, 0.01))  # noqa: S311 (the move)
    migration.advance(Phase.FAILED, "Enough.")


def main() -> None:
    deadline = time.monotonic() + float(sys.argv[2])
    threads: list[Any] = [threading.Thread(target=work, args=(deadline,)) for _ in range(int(sys.argv[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"claimed": claimed, "over": over, "errors": errors}))


main()
