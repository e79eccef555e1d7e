"""What every answer carries, and what the health page says."""

import pytest
from django.test import AsyncClient

from tests.platform.installation import Installation

# Database 14 is nobody's: the running workers do not see these messages, so that they can be counted.
SEND_TO_EACH_QUEUE = """
from django.conf import settings
from vmmigrate.celery import app
from redis import Redis
url = settings.REDIS.database_url
elsewhere = settings.CELERY_BROKER_URL.replace("virtual_host=0", "virtual_host=14")
with app.connection_for_write(elsewhere) as broker:
    for queue in ("migrate", "control", "storage"):
        app.send_task("nobody.knows", queue=queue, connection=broker)
    for queue in ("migrate", "control", "storage"):
        print(queue, Redis.from_url(url(14)).llen(queue))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("web") / "state").start()
    yield installation
    installation.stop()


def assert_strict(headers):
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert not [source for source in policy.values() if "unsafe" in source or "*" in source]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert policy["frame-ancestors"] == "'none'"


def test_every_kind_of_answer_carries_the_policy(client):
    for path in ("/healthz", "/nothing-here", "/static/vendor/htmx.min.js"):
        assert_strict(client.get(path).headers)


async def test_policy_holds_for_async_handling_too():
    assert_strict((await AsyncClient().get("/nothing-here")).headers)


def test_health_without_redis_says_which_part_failed(client, db, settings, tmp_path):
    nobody = f"unix://{tmp_path}/nobody.sock"  # this run's own Redis may be up for another test
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": nobody}}
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "ok"
    assert answer.json()["redis"].startswith("failed: ")


def test_health_takes_no_post(client):
    assert client.post("/healthz").status_code == 405


def test_health_of_a_running_installation(running):
    health = running.health()
    assert health["database"] == health["redis"] == "ok"
    assert set(health["worker_heartbeat_age_s"]) == {"migrate", "control", "storage"}


def test_a_message_goes_to_its_own_queue_only(running):
    sent = running.run_manage("shell", "--no-imports", "-c", SEND_TO_EACH_QUEUE)
    assert sent.split() == ["migrate", "1", "control", "1", "storage", "1"]


def test_deployment_checks_pass_on_a_running_installation(running):
    output = running.run_manage("check", "--deploy", "--tag", "vmmigrate")
    assert "no issues" in output
