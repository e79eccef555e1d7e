"""A strict Content-Security-Policy on every answer: nothing inline, nothing from elsewhere."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    # 'self' covers websockets of the same host and port too (CSP level 3).
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in POLICY.items()),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]]


def _with_headers(response: HttpResponse) -> HttpResponse:
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response


@sync_and_async_middleware
def content_security_policy(get_response: Handler) -> Handler:
    """Middleware for sync and async views that adds the headers, also to error pages and static files."""
    if iscoroutinefunction(get_response):

        async def handle_async(request: HttpRequest) -> HttpResponse:
            return _with_headers(await get_response(request))

        return handle_async

    def handle(request: HttpRequest) -> HttpResponse:
        return _with_headers(get_response(request))  # type: ignore[arg-type]

    return handle
