"""Being laid out."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse


@login_required
def list_history(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)
