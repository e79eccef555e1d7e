"""Settings come from the environment only; what is wrong or missing is refused before anything starts."""

import json
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from redis.connection import parse_url

from tests.platform.installation import environment_for
from vmmigrate.environment import RedisAddress, check_key_ring, refuse_unknown
from vmmigrate.paths import ROOT, SOCKET_PATH_BYTES_MAX, redis_socket

READ = """
import json, sys
from vmmigrate import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""
PRODUCTION = {
    "VM_MIGRATE_MODE": "production",
    "VM_MIGRATE_SECRET_KEY": "a-key-for-a-test-" * 4,
    "VM_MIGRATE_SECRET_KEYS": Fernet.generate_key().decode(),
    "VM_MIGRATE_ALLOWED_HOSTS": "moves.example.org",
    "DATABASE_URL": "postgres://mover:hidden@db.example.org/moves",
    "REDIS_URL": "rediss://:hidden@redis.example.org:6380",
}


def run_settings(state_dir, environment, *names):
    return subprocess.run(
        [sys.executable, "-c", READ, *names],
        cwd=ROOT,
        env={**environment_for(state_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def read_settings(state_dir, environment, *names):
    done = run_settings(state_dir, environment, *names)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_embedded_mode_needs_nothing_and_keeps_its_secrets(tmp_path):
    names = ("SECRET_KEY", "SECRET_KEY_RING", "DEBUG", "ALLOWED_HOSTS")
    first = read_settings(tmp_path, {}, *names)
    assert first == read_settings(tmp_path, {}, *names)
    assert first["DEBUG"] is False
    assert first["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert len(first["SECRET_KEY"]) > 50


def test_complete_production_starts_with_secure_cookies(tmp_path):
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "DATABASES", "CELERY_BROKER_URL")
    settings = read_settings(tmp_path, PRODUCTION, *names)
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert settings["DATABASES"]["default"]["ENGINE"].endswith("postgresql")
    assert not list(tmp_path.iterdir())  # production makes nothing up


@pytest.mark.parametrize("missing", sorted(set(PRODUCTION) - {"VM_MIGRATE_MODE"}))
def test_production_refuses_what_is_missing(tmp_path, missing):
    environment = {name: value for name, value in PRODUCTION.items() if name != missing}
    done = run_settings(tmp_path, environment)
    assert done.returncode != 0
    assert f"{missing} is not set" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("VM_MIGRATE_MODE", "prod", "must be embedded or production"),
        ("VM_MIGRATE_DEBUG", "true", "refused in production"),
        ("VM_MIGRATE_ALOWED_HOSTS", "x", "Unknown variable in the environment: VM_MIGRATE_ALOWED_HOSTS"),
        ("VM_MIGRATE_SECRET_KEYS", "short-and-wrong", "key 1 is not a Fernet key"),
        ("DATABASE_URL", "mysql://mover@db/moves", "must name SQLite"),
        ("REDIS_URL", "http://redis", "must start with redis://"),
        ("REDIS_URL", "redis://redis:6379/3", "no database number"),
    ],
)
def test_wrong_values_are_refused_without_showing_secrets(tmp_path, name, value, message):
    done = run_settings(tmp_path, {**PRODUCTION, name: value})
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert "hidden" not in done.stderr
    assert "short-and-wrong" not in done.stderr


def test_secret_can_come_from_a_file(tmp_path):
    secret = tmp_path / "key"
    secret.write_text("k" * 64)
    environment = {**PRODUCTION, "VM_MIGRATE_SECRET_KEY_FILE": str(secret)}
    del environment["VM_MIGRATE_SECRET_KEY"]
    assert read_settings(tmp_path, environment, "SECRET_KEY") == {"SECRET_KEY": "k" * 64}


def test_every_misspelt_variable_is_named():
    with pytest.raises(ImproperlyConfigured, match="VM_MIGRATE_A, VM_MIGRATE_B"):
        refuse_unknown(["VM_MIGRATE_B", "VM_MIGRATE_A", "VM_MIGRATE_MODE", "PATH"], {"MODE"})


def test_key_ring_takes_several_keys():
    keys = [Fernet.generate_key().decode() for _ in range(3)]
    assert check_key_ring(keys) == keys


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.example.org",
        "rediss://:p%40ss@redis.example.org:6380",
        "unix:///run/vm%20migrate/redis.sock",
    ],
)
def test_three_databases_of_one_redis_never_meet(url):
    address = RedisAddress(url)
    numbers = [parse_url(address.database_url(number)).get("db") for number in (0, 1, 2)]
    assert numbers == [0, 1, 2]


def test_tls_redis_checks_the_certificate():
    assert "ssl_cert_reqs=required" in RedisAddress("rediss://redis.example.org").broker_url()


def test_long_state_directory_gets_a_socket_path_that_fits(tmp_path):
    path = redis_socket(tmp_path / ("deep" * 40))
    assert len(str(path)) <= SOCKET_PATH_BYTES_MAX
    assert path != redis_socket(tmp_path / ("other" * 40))
