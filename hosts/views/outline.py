"""What the tree shows: every host, and the guests of those that are unfolded in this browser.

Which hosts are unfolded, and how many guests of each, is kept in a cookie: a refresh or a reload then shows the
same tree, and a folded host costs nothing however many guests it has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from hosts.models import Guest, Host

COOKIE = "vm_migrate_tree"
PAGE = 200  # guests of one host shown at once; "show more" adds as many
MOST = 5000
FILTER_ROWS = 300  # of all hosts together
# Without a cookie everything is unfolded as long as it is this little.
SMALL_GUESTS, SMALL_HOSTS = 60, 12
_OPEN = re.compile(r"^(\d{1,9})(?:\*(\d{1,5}))?$")
_TREE_FIELDS = ("pk", "name", "state", "domain_uuid", "host_id")


@dataclass(slots=True)
class Branch:
    """One host of the tree; `guests` is None while it is folded."""

    host: Host
    total: int
    running: int
    guests: list[dict[str, object]] | None = None
    limit: int = PAGE

    @property
    def more(self) -> int:
        return 0 if self.guests is None else max(0, self.total - len(self.guests))

    @property
    def next_limit(self) -> int:
        return self.limit + PAGE


@dataclass(slots=True)
class Outline:
    branches: list[Branch] = field(default_factory=list)
    query: str = ""
    guests: int = 0


def parse_open(cookie: str | None) -> dict[int, int] | None:
    """ "3.5*400" → {3: 200, 5: 400}; None when the browser has not said yet."""
    if cookie is None:
        return None
    found = (_OPEN.match(part) for part in cookie.split("."))
    return {int(m[1]): min(int(m[2] or PAGE), MOST) for m in found if m}


def read_outline(request: HttpRequest, query: str = "") -> Outline:
    """The whole tree. With `query`, only hosts and guests whose name holds it."""
    counted = Guest.objects.present().filter(name__icontains=query) if query else Guest.objects.present()
    branches = [_branch(host, counts) for host, counts in _hosts_with_counts(counted)]
    if query:
        branches = [b for b in branches if b.total or query.casefold() in b.host.name.casefold()]
    total = sum(branch.total for branch in branches)
    unfolded = None if query else parse_open(request.COOKIES.get(COOKIE))
    if unfolded is None:
        unfolded = _unfolded_by_default(branches, total, everything=bool(query))
    for branch in branches:
        if branch.host.pk in unfolded:
            branch.limit = unfolded[branch.host.pk]
            branch.guests = guests_of(counted, branch.host.pk, branch.limit)
    return Outline(branches, query, total)


def read_branch(host: Host, limit: int = PAGE) -> Branch:
    """One unfolded host."""
    present = Guest.objects.present().filter(host=host)
    limit = min(max(limit, PAGE), MOST)
    running = present.filter(state="running").count()
    return Branch(host, present.count(), running, guests_of(present, host.pk, limit), limit)


def guests_of(guests: QuerySet[Guest], host_id: int, limit: int) -> list[dict[str, object]]:
    return list(guests.filter(host_id=host_id).order_by("name", "pk").values(*_TREE_FIELDS)[:limit])


def _hosts_with_counts(counted: QuerySet[Guest]) -> list[tuple[Host, dict[str, int]]]:
    rows = (
        counted.order_by()
        .values("host_id")
        .annotate(total=Count("pk"), running=Count("pk", filter=Q(state="running")))
    )
    by_host = {row["host_id"]: {"total": row["total"], "running": row["running"]} for row in rows}
    none = {"total": 0, "running": 0}
    hosts = Host.objects.defer("facts_data", "credentials", "known_hosts")
    return [(host, by_host.get(host.pk, none)) for host in hosts]


def _branch(host: Host, counts: dict[str, int]) -> Branch:
    return Branch(host, counts["total"], counts["running"])


def _unfolded_by_default(branches: list[Branch], total: int, *, everything: bool) -> dict[int, int]:
    if everything:
        limit = max(5, FILTER_ROWS // max(1, len(branches)))
        return {branch.host.pk: limit for branch in branches[:60]}
    if total > SMALL_GUESTS or len(branches) > SMALL_HOSTS:
        return {}
    return {branch.host.pk: PAGE for branch in branches}
