"""The form of a host: two ways to write an address, secrets that never come out, keys that a person compares."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from hosts.errors import Refused
from hosts.models import Host
from hosts.ports import ConnectionReport, ConnectionStep, OfferedKey, StepState
from hosts.views import host_actions, host_forms
from tests.hosts.views.conftest import make_host

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nVERYSECRET\n-----END OPENSSH PRIVATE KEY-----"
LINE = "mercury ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJk0Hq0JdBq0T3mT2mV0v2x4S4kqVv0fS0o4hF2b3P9Z"
VALID = {
    "name": "mercury", "address": "qemu+ssh://root@mercury/system", "migration_port_first": "49152",
    "migration_port_last": "49215", "max_outgoing": "2", "max_incoming": "2",
}  # fmt: skip
NEW_KEYS = ConnectionReport(
    ok=False,
    steps=(ConnectionStep("host-key", StepState.FAILED, "The host is not known yet.", "Compare its keys."),),
    offered_keys=(OfferedKey("ssh-ed25519", "SHA256:abc", LINE),),
)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the service was asked to store."""
    asked: dict[str, Any] = {}

    def save_host(host: Host, *, credentials: dict[str, str], actor: Any, clear: set[str]) -> Host:
        asked.update(host=host, credentials=credentials, clear=clear, actor=actor)
        host.save()
        return host

    monkeypatch.setattr(host_forms, "save_host", save_host)
    return asked


def test_valid_form_is_handed_to_the_service(person: Any, saved: dict[str, Any]) -> None:
    answer = person.post(reverse("hosts:add"), VALID | {"ssh_private_key": KEY, "known_hosts": LINE})
    assert answer.status_code == 302
    assert saved["credentials"]["ssh_private_key"] == KEY + "\n"
    assert saved["host"].known_hosts == LINE + "\n"
    assert saved["actor"].get_username() == "anna"


def test_probe_login_is_handed_to_the_service(person: Any, saved: dict[str, Any]) -> None:
    login = {"probe_address": " ssh://vmprobe@mercury:2222/ ", "probe_private_key": KEY}
    assert person.post(reverse("hosts:add"), VALID | login).status_code == 302
    assert saved["host"].probe_address == "ssh://vmprobe@mercury:2222"
    assert saved["credentials"]["probe_private_key"] == KEY + "\n"


def test_key_of_the_probe_login_never_comes_out(person: Any) -> None:
    host = make_host("mercury", credentials={"probe_private_key": KEY}, probe_address="ssh://vmprobe@mercury")
    page = person.get(reverse("hosts:edit", args=[host.pk])).content.decode()
    assert "ssh://vmprobe@mercury" in page
    assert "VERYSECRET" not in page
    refused = person.post(
        reverse("hosts:edit", args=[host.pk]), VALID | {"name": "", "probe_private_key": KEY}
    )
    assert "VERYSECRET" not in refused.content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "required"),
        ({"address": "mercury"}, "is not a connection address"),
        ({"address": "qemu+ssh://root:pw@mercury/system"}, "contains a password"),
        ({"address": "qemu+ssh://mercury/system?command=/bin/sh"}, "would run a program"),
        ({"peer_address": "nonsense"}, "is not a connection address"),
        ({"probe_address": "root@mercury"}, "looks like ssh://"),
        ({"probe_address": "qemu+ssh://root@mercury/system"}, "looks like ssh://"),
        ({"probe_address": "ssh://root:pw@mercury"}, "contains a password"),
        ({"probe_address": "ssh://mercury;reboot"}, "not allowed"),
        ({"probe_address": "ssh://-oProxyCommand=x"}, "not allowed"),
        ({"probe_private_key": "ssh-ed25519 AAAA"}, "is not a private key"),
        ({"migration_port_last": "100"}, "below the first one"),
        ({"max_outgoing": "99"}, "less than or equal to 10"),
        ({"ssh_private_key": "ssh-ed25519 AAAA"}, "not a private key"),
        ({"known_hosts": "@cert-authority * evil"}, "cannot be read"),
        ({"migration_address": "10.0.0.1; reboot"}, "a name or an IP address only"),
    ],
)
def test_mistake_is_said_beside_its_field_and_nothing_is_saved(
    person: Any, saved: dict[str, Any], change: dict[str, str], words: str
) -> None:
    answer = person.post(reverse("hosts:add"), VALID | change)
    assert answer.status_code == 422
    assert answer.headers["HX-Push-Url"] == "false"
    assert words in answer.content.decode()
    assert "field-error" in answer.content.decode()
    assert not saved


def test_name_that_is_taken_is_refused(person: Any, host: Host, saved: dict[str, Any]) -> None:
    assert person.post(reverse("hosts:add"), VALID).status_code == 422


def test_secrets_never_come_back_to_the_browser(person: Any) -> None:
    host = make_host(credentials={"ssh_private_key": KEY, "sasl_password": "PASSW0RD"})
    pages = [
        person.get(reverse("hosts:edit", args=[host.pk])),
        person.get(reverse("hosts:detail", args=[host.pk]), {"tab": "connection"}),
        person.post(
            reverse("hosts:edit", args=[host.pk]),
            VALID | {"name": "", "ssh_private_key": KEY, "sasl_password": "PASSW0RD"},
        ),
    ]
    for page in pages:
        text = page.content.decode()
        assert "VERYSECRET" not in text
        assert "PASSW0RD" not in text
    assert "stored" in pages[0].content.decode()


def test_stored_secret_can_be_cleared(person: Any, saved: dict[str, Any]) -> None:
    host = make_host(credentials={"sasl_password": "x"})
    person.post(reverse("hosts:edit", args=[host.pk]), VALID | {"clear": ["sasl_password"]})
    assert saved["clear"] == {"sasl_password"}


PARTS = {
    "part_driver": "qemu", "part_transport": "ssh", "part_user": "root", "part_host": "mercury", "part_port": "2222",
    "part_path": "/system", "part_socket": "/run/x",
}  # fmt: skip


def test_parts_become_the_whole_address(person: Any) -> None:
    text = person.post(reverse("hosts:address"), PARTS).content.decode()
    assert "qemu+ssh://root@mercury:2222/system?socket=/run/x" in text


def test_whole_address_becomes_its_parts(person: Any) -> None:
    text = person.post(
        reverse("hosts:address"), {"address": "xen+tls://jupiter:16599/system"}
    ).content.decode()
    assert 'value="jupiter"' in text
    assert 'value="16599"' in text
    assert '<option value="tls" selected>' in text


@pytest.mark.parametrize(
    "data", [PARTS | {"part_host": "-oProxy"}, PARTS | {"part_port": "x"}, {"address": "<b>"}]
)
def test_address_that_cannot_be_is_answered_in_words(person: Any, data: dict[str, str]) -> None:
    text = person.post(reverse("hosts:address"), data).content.decode()
    assert "field-error" in text
    assert "<b>" not in text


def test_report_is_asked_for_until_it_is_there(person: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_forms, "find_report", lambda token: None)
    address = reverse("hosts:report", args=["t"])
    assert "round=1" in person.get(address).content.decode()
    assert "No worker has answered" in person.get(address, {"round": "99"}).content.decode()


def test_first_contact_shows_fingerprints_and_asks(
    person: Any, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_forms, "find_report", lambda token: NEW_KEYS)
    text = person.get(reverse("hosts:report", args=["t"]), {"host": str(host.pk)}).content.decode()
    assert "SHA256:abc" in text
    assert 'name="compared"' in text
    assert LINE not in text


def test_changed_key_is_refused_with_old_and_new(person: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    host = make_host(known_hosts=LINE + "\n")
    changed = ConnectionReport(
        ok=False, steps=NEW_KEYS.steps, offered_keys=NEW_KEYS.offered_keys, key_changed=True
    )
    monkeypatch.setattr(host_forms, "find_report", lambda token: changed)
    text = person.get(reverse("hosts:report", args=["t"]), {"host": str(host.pk)}).content.decode()
    assert "the host key has changed" in text
    assert "Accepted before" in text
    assert "SHA256:abc" in text


def test_keys_are_accepted_only_from_a_report_and_only_compared(
    person: Any, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[list[str]] = []
    monkeypatch.setattr(host_forms, "accept_host_keys", lambda host, lines, actor: accepted.append(lines))
    monkeypatch.setattr(host_forms, "request_test", lambda host, credentials: "again")
    monkeypatch.setattr(host_forms, "find_report", lambda token: NEW_KEYS if token == "t" else None)
    address = reverse("hosts:accept_keys", args=[host.pk])
    for data in (
        {"token": "t"},
        {"token": "other", "compared": "yes"},
        {"known_hosts": LINE, "compared": "yes"},
    ):
        assert person.post(address, data).status_code == 422
    assert accepted == []
    assert person.post(address, {"token": "t", "compared": "yes"}).status_code == 200
    assert accepted == [[LINE]]


def test_typed_connection_is_tested_without_being_saved(person: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        host_forms, "request_test", lambda host, given: asked.append((host.address, given)) or "t"
    )
    answer = person.post(reverse("hosts:test_form"), VALID | {"ssh_private_key": KEY})
    assert "Testing the connection" in answer.content.decode()
    assert asked[0][0] == VALID["address"]
    assert Host.objects.count() == 0
    assert person.post(reverse("hosts:test_form"), VALID | {"address": "x"}).status_code == 422


def test_removing_says_why_it_is_refused(person: Any, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: Host, actor: Any) -> None:
        raise Refused("A move is under way.", remedy="Wait for it.")

    monkeypatch.setattr(host_actions, "remove_host", refuse)
    answer = person.post(reverse("hosts:remove", args=[host.pk]))
    assert answer.status_code == 422
    assert "Wait for it." in answer.content.decode()


def test_removing_closes_the_dialog_and_goes_to_the_list(
    person: Any, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_actions, "remove_host", lambda host, actor: host.delete())
    answer = person.post(reverse("hosts:remove", args=[host.pk]))
    assert answer.status_code == 204
    assert reverse("hosts:list") in answer.headers["HX-Location"]
    assert "dialog-close" in answer.headers["HX-Trigger"]
