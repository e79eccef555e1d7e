"""Storage pools over all hosts, to look at."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from hosts.models import Host
from hosts.views.pages import page
from hosts.views.pools import read_pools


@login_required
@require_GET
def list_pools(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:100]
    rows = [row for row in read_pools() if query.casefold() in row.name.casefold()]
    hosts = Host.objects.defer("facts_data", "credentials")
    context = {"pools": rows, "query": query, "unread": [host for host in hosts if host.read_at is None]}
    return page(request, "hosts/storage.html", context)
