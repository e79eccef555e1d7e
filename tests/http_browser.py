"""As much of a browser as a script needs: cookies, the CSRF token, and the migrate dialog."""

from __future__ import annotations

import http.cookiejar
import re
import time
import urllib.error
import urllib.parse
import urllib.request

ACCEPTED_WITHIN_S = 60.0


class NotAccepted(Exception):
    """The product refused; the text says what it said."""


class HttpBrowser:
    def __init__(self, url: str) -> None:
        self.url = url
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def get(self, path: str) -> str:
        with self.opener.open(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def post(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Status and body; an error status is an answer here."""
        data = urllib.parse.urlencode(fields).encode()
        headers = {"X-CSRFToken": self._token(), "Referer": self.url, "HX-Request": "true"}
        request = urllib.request.Request(self.url + path, data, headers)  # noqa: S310 — our own address
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log_in(self, name: str, password: str) -> None:
        self.get("/login/")
        self.post("/login/", {"username": name, "password": password})
        if not any("session" in cookie.name for cookie in self.jar):
            raise NotAccepted(f"Logging in as {name} failed.")

    def migrate(self, guest_id: int, destination_id: int, reason: str, **choices: str) -> None:
        """Open the dialog, make these choices and press "Migrate", again until the readings that it asked for are
        there."""
        dialog = f"/guests/{guest_id}/migrate/"
        self.get(f"{dialog}?destination={destination_id}")
        fields = {
            "destination": str(destination_id), "kind": "live", "control": "peer-to-peer", "storage": "shared",
            "stays": "for-good", "timeout_action": "suspend", "reason": reason,
            **choices,
        }  # fmt: skip
        deadline = time.monotonic() + ACCEPTED_WITHIN_S
        while True:
            status, body = self.post(f"{dialog}start/", fields)
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise NotAccepted(f"The move was not accepted ({status}): {_text_of(body)}")
            time.sleep(0.3)

    def _token(self) -> str:
        return next((cookie.value or "" for cookie in self.jar if "csrf" in cookie.name), "")


def _text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())[:600]
