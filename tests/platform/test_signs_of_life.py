"""What health checks look at: it must go on while a part is well, and stop when it is not."""

import os
import time

import pytest
from celery.worker.heartbeat import Heart

from vmmigrate import celery, healthcheck
from vmmigrate.beat import sign_of_life


class Eventer:
    """What Celery's heart needs of the connection to other workers."""

    def __init__(self):
        self.on_enabled, self.on_disabled = set(), set()

    def send(self, *_, **__):
        return None


@pytest.fixture
def noted(monkeypatch):
    noted = []
    monkeypatch.setattr("vmmigrate.heartbeat.record_heartbeat", noted.append)
    monkeypatch.setattr(celery.app.amqp.queues, "_consume_from", {"migrate": None})
    monkeypatch.setattr(celery, "HEARTBEAT_EVERY_S", 0)
    monkeypatch.setattr(celery.heartbeat, "is_ready", False)
    return noted


def test_a_worker_is_noted_as_alive_by_celerys_own_beats_from_ready_on(noted):
    heart = Heart(timer=None, eventer=Eventer())
    heart._send("worker-online")
    assert noted == []
    celery.begin_heartbeat()
    heart._send("worker-heartbeat")
    heart._send("worker-heartbeat")
    assert noted == ["migrate"] * 3


def test_a_scheduler_that_stopped_ticking_is_not_well(tmp_path):
    schedule = str(tmp_path / "beat-schedule")
    assert healthcheck.main(["scheduler", schedule]) == 1
    sign_of_life(schedule).touch()
    assert healthcheck.main(["scheduler", schedule]) == 0
    long_ago = time.time() - healthcheck.TICK_WITHIN_S
    os.utime(sign_of_life(schedule), (long_ago, long_ago))
    assert healthcheck.main(["scheduler", schedule]) == 1


@pytest.mark.parametrize("arguments", [[], ["scheduler"], ["watcher"], ["web", "more"]])
def test_an_unknown_part_is_wrong_use(arguments):
    assert healthcheck.main(arguments) == 2


def test_a_web_server_that_does_not_answer_is_not_well(monkeypatch):
    monkeypatch.setattr(healthcheck, "TIMEOUT_S", 0.2)
    assert not healthcheck.is_web_well(port=1)
