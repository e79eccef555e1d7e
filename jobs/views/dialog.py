"""Being laid out."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse


@login_required
def migrate(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def migrate_check(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def migrate_start(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)
