"""Being laid out."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse


@login_required
def list_moves(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def jump(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def show_move(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def move_points(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def cancel(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)


@login_required
def dock(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(status=204)
