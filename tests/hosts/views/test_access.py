"""Nobody sees anything without logging in, and nothing changes by a GET."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hosts.models import Guest
from hosts.urls import urlpatterns

POST_ONLY = {
    "refresh_all",
    "address",
    "test_form",
    "test",
    "accept_keys",
    "refresh",
    "enable",
    "guest_refresh",
}


def addresses(guest: Guest) -> dict[str, str]:
    found = {}
    for pattern in urlpatterns:
        keys = pattern.pattern.converters
        pk = guest.pk if str(pattern.name).startswith("guest") else guest.host_id
        arguments = {key: "no-token" if key == "token" else pk for key in keys}
        found[str(pattern.name)] = reverse(f"hosts:{pattern.name}", kwargs=arguments)
    return found


def test_every_address_asks_for_a_login(client: Client, guest: Guest) -> None:
    for name, address in addresses(guest).items():
        for response in (client.get(address), client.post(address)):
            assert response.status_code == 302, name
            assert response.headers["Location"].startswith("/login/"), name


def test_changes_are_not_made_by_following_a_link(person: Any, guest: Guest) -> None:
    for name, address in addresses(guest).items():
        if name in POST_ONLY:
            assert person.get(address).status_code == 405, name


def test_post_without_token_is_refused(guest: Guest, django_user_model: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_user("ben"))
    assert strict.post(reverse("hosts:remove", args=[guest.host_id])).status_code == 403


@pytest.mark.parametrize("name", ["list", "guests", "storage", "add"])
def test_page_is_whole_for_a_browser_and_a_fragment_for_htmx(person: Any, guest: Guest, name: str) -> None:
    whole = person.get(reverse(f"hosts:{name}"))
    part = person.get(reverse(f"hosts:{name}"), headers={"HX-Request": "true"})
    assert b'id="tree"' in whole.content
    assert b'id="tree"' not in part.content
    assert b"<title>" in part.content
    assert "HX-Request" in whole.headers["Vary"]


def test_login_page_speaks_of_the_mistake_and_keeps_the_name(client: Client, db: None) -> None:
    answer = client.post(reverse("login"), {"username": "anna", "password": "wrong"}).content.decode()
    assert 'id="login-error"' in answer
    assert 'value="anna"' in answer
    assert 'autocomplete="current-password"' in answer
    assert "wrong" not in answer
