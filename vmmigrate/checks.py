"""Checks of a deployment, run by `manage.py check --deploy`: what is set, does it fit, does it answer.

The embedded mode is meant for one machine and one person's eyes; running it for others is worth a warning.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from typing import Any

import redis
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import connection

from vmmigrate.environment import BROKER_DB

SECRET_KEY_CHARACTERS_MIN = 50  # as Django's own deployment check (security.W009)
# Celery 5.7 needs it; vmmigrate.embedded_redis looks for the same.
REDIS_OLDEST = (6, 2)

Apps = Sequence[AppConfig] | None


@checks.register("vmmigrate", deploy=True)
def check_mode(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    """Others' browsers get in by a host name; the embedded mode has none of production's demands."""
    outside = sorted(set(settings.ALLOWED_HOSTS) - set(settings.LOCAL_HOSTS))
    if not settings.PRODUCTION and outside:
        yield checks.Warning(
            f"Embedded mode answers to {', '.join(outside)}.",
            hint="Set VM_MIGRATE_MODE=production for an installation that others reach.",
            id="vmmigrate.W001",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "VM_MIGRATE_ALLOWED_HOSTS is *: a forged Host header is believed.",
            hint="Name the host names people use.",
            id="vmmigrate.E001",
        )


@checks.register("vmmigrate", deploy=True)
def check_debug_is_off(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    if settings.DEBUG:
        yield Error("VM_MIGRATE_DEBUG is on: error pages show settings to visitors.", id="vmmigrate.E002")


@checks.register("vmmigrate", deploy=True)
def check_secrets(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    """Sessions stand and fall with the first secret, stored credentials with the second."""
    if len(settings.SECRET_KEY) < SECRET_KEY_CHARACTERS_MIN:
        yield Error(
            f"VM_MIGRATE_SECRET_KEY has fewer than {SECRET_KEY_CHARACTERS_MIN} characters.",
            hint='python3 -c "import secrets; print(secrets.token_urlsafe(64))"',
            id="vmmigrate.E003",
        )
    if not settings.SECRET_KEY_RING:
        yield Error("VM_MIGRATE_SECRET_KEYS is empty: no credential can be stored.", id="vmmigrate.E004")
    if settings.SECRET_KEY in settings.SECRET_KEY_RING:
        yield Error(
            "VM_MIGRATE_SECRET_KEY and VM_MIGRATE_SECRET_KEYS share a key: who learns one has both.",
            id="vmmigrate.E005",
        )


@checks.register("vmmigrate", deploy=True)
def check_secret_files(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    """Generated secrets were made for the owner only; a copy or a restore may have changed that."""
    directory = settings.STATE_DIR / "secrets"
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Error(f"{path} can be read by others.", hint=f"chmod 600 '{path}'", id="vmmigrate.E006")


@checks.register("vmmigrate", deploy=True)
def check_transport(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    """In production passwords and sessions travel over TLS only, unless someone said otherwise aloud."""
    if settings.PRODUCTION and settings.ALLOW_PLAIN_HTTP:
        yield checks.Warning(
            "VM_MIGRATE_ALLOW_PLAIN_HTTP is on: sessions can be read on the way.", id="vmmigrate.W002"
        )
    elif settings.PRODUCTION and not settings.BEHIND_TLS_PROXY:
        yield checks.Warning(
            "No TLS proxy is declared, and cookies are sent over TLS only: nobody can log in.",
            hint="Put a TLS proxy in front and set VM_MIGRATE_BEHIND_TLS_PROXY=true.",
            id="vmmigrate.W003",
        )


@checks.register("vmmigrate", deploy=True)
def check_redis(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    """Redis answers, is new enough and throws nothing away when it is full."""
    address = settings.REDIS.database_url(BROKER_DB)
    try:
        with redis.Redis.from_url(address, socket_timeout=3, socket_connect_timeout=3) as client:
            facts: dict[str, Any] = client.info()
    except redis.RedisError as error:
        yield Error(
            f"Redis does not answer ({type(error).__name__}).",
            hint="Start it, or correct REDIS_URL. Without it nothing moves and pages are not live.",
            id="vmmigrate.E007",
        )
        return
    version = str(facts.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < REDIS_OLDEST:
        yield Error(f"Redis {version} is older than 6.2.", id="vmmigrate.E008")
    policy = facts.get("maxmemory_policy")
    if policy != "noeviction":
        yield Error(
            f"Redis throws away entries when full (maxmemory-policy {policy}): queued work would vanish.",
            hint="Set maxmemory-policy noeviction.",
            id="vmmigrate.E009",
        )


@checks.register("vmmigrate", deploy=True)
def check_database(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    """SQLite is right for one machine; several web or worker machines need PostgreSQL."""
    if settings.PRODUCTION and connection.vendor == "sqlite":
        yield checks.Warning(
            "Production runs on SQLite: everything must then stay on one machine with a local disk.",
            hint="Set DATABASE_URL to a PostgreSQL database.",
            id="vmmigrate.W004",
        )


@checks.register("vmmigrate", deploy=True)
def check_user(app_configs: Apps, **_: Any) -> Iterable[CheckMessage]:
    if settings.PRODUCTION and os.geteuid() == 0:
        yield checks.Warning("VM Migrate runs as root and needs none of root's rights.", id="vmmigrate.W005")
