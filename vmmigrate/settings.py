"""All settings, from the environment only; see `KNOWN` for what may be set and docs/guide for what it means.

Two modes. `embedded` (the default) needs nothing: its secrets, database and Redis live in the state directory
and it answers on this machine only. `production` makes nothing up: what is missing is refused at start.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from vmmigrate.environment import (
    CACHE_DB,
    LAYER_DB,
    RedisAddress,
    check_key_ring,
    new_fernet_key,
    new_secret_key,
    read_or_create_secret,
    refuse_unknown,
)
from vmmigrate.paths import ROOT, default_state_dir, make_private_dir, redis_socket

KNOWN = {
    "MODE",
    "STATE_DIR",
    "SECRET_KEY",
    "SECRET_KEYS",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "BEHIND_TLS_PROXY",
    "ALLOW_PLAIN_HTTP",
    "DEBUG",
    "ROLE",
    "LOG_LEVEL",
    "PREFLIGHT_HARDEN",
    "POOL_WARN_PERCENT",
    "POOL_ALARM_PERCENT",
    "SPOOL_DIR",
    "SPOOL_LIMIT_GIB",
}

# FileAwareEnv: NAME_FILE may name a file that holds the value, as container secrets do.
env = environ.FileAwareEnv()
refuse_unknown(os.environ, KNOWN)

BASE_DIR = ROOT
MODE: str = env.str("VM_MIGRATE_MODE", "embedded")
if MODE not in {"embedded", "production"}:
    raise ImproperlyConfigured("VM_MIGRATE_MODE must be embedded or production.")
PRODUCTION = MODE == "production"
STATE_DIR: Path = default_state_dir()
ROLE: str = env.str("VM_MIGRATE_ROLE", "manage")
DEBUG: bool = env.bool("VM_MIGRATE_DEBUG", False)
if PRODUCTION and DEBUG:
    raise ImproperlyConfigured("VM_MIGRATE_DEBUG shows secrets to visitors: it is refused in production.")
if not PRODUCTION:
    make_private_dir(STATE_DIR)


def required_in_production(name: str) -> str:
    """Return the variable's value, "" if it is missing in embedded mode; raise if missing in production."""
    value: str = env.str(name, "").strip()
    if PRODUCTION and not value:
        raise ImproperlyConfigured(f"{name} is not set: production makes no value up.")
    return value


# Secrets ------------------------------------------------------------------------------------------
SECRET_KEY: str = required_in_production("VM_MIGRATE_SECRET_KEY") or read_or_create_secret(
    STATE_DIR / "secrets" / "secret_key", new_secret_key
)
# Fernet keys for secrets at rest, newest first: the first one encrypts, all of them decrypt.
SECRET_KEY_RING: list[str] = check_key_ring(
    [key.strip() for key in required_in_production("VM_MIGRATE_SECRET_KEYS").split(",") if key.strip()]
    or [read_or_create_secret(STATE_DIR / "secrets" / "key_ring", new_fernet_key)]
)

# Of a storage pool's capacity: from here on it is shown as getting full, and as full.
POOL_WARN_PERCENT: int = env.int("VM_MIGRATE_POOL_WARN_PERCENT", 85)
POOL_ALARM_PERCENT: int = env.int("VM_MIGRATE_POOL_ALARM_PERCENT", 95)
if not 0 < POOL_WARN_PERCENT <= POOL_ALARM_PERCENT <= 100:
    raise ImproperlyConfigured(
        "VM_MIGRATE_POOL_WARN_PERCENT and VM_MIGRATE_POOL_ALARM_PERCENT must run upwards, within 1 to 100."
    )

# Uploads and downloads of volumes ------------------------------------------------------------------
# Where files wait between a browser and a worker: the same folder for web and workers, on a disk with room.
SPOOL_DIR: Path = Path(env.str("VM_MIGRATE_SPOOL_DIR", "") or STATE_DIR / "spool").expanduser().resolve()
# The largest file taken, in GiB; 0: as much as that disk has room for.
SPOOL_LIMIT_GIB: int = env.int("VM_MIGRATE_SPOOL_LIMIT_GIB", 0)

# Who may ask --------------------------------------------------------------------------------------
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS: list[str] = env.list("VM_MIGRATE_ALLOWED_HOSTS", default=[] if PRODUCTION else LOCAL_HOSTS)
if PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("VM_MIGRATE_ALLOWED_HOSTS is not set: name the host names people use.")
CSRF_TRUSTED_ORIGINS: list[str] = env.list("VM_MIGRATE_CSRF_TRUSTED_ORIGINS", default=[])
BEHIND_TLS_PROXY: bool = env.bool("VM_MIGRATE_BEHIND_TLS_PROXY", False)
ALLOW_PLAIN_HTTP: bool = env.bool("VM_MIGRATE_ALLOW_PLAIN_HTTP", not PRODUCTION)

# Ids of preflight checks whose warnings block here: the house's own policy. `manage.py check` refuses unknown ones.
PREFLIGHT_HARDEN: list[str] = env.list("VM_MIGRATE_PREFLIGHT_HARDEN", default=[])

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not ALLOW_PLAIN_HTTP
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600  # seconds: one working day
# Cookies know no ports: two installations on one machine would log each other out under one name.
SESSION_COOKIE_NAME = "vm_migrate_session"
CSRF_COOKIE_NAME = "vm_migrate_csrf"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if BEHIND_TLS_PROXY:
    # Only then: without a proxy that overwrites it, any visitor could send this header.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = not ALLOW_PLAIN_HTTP
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SECURE_HSTS_SECONDS = 31_536_000  # one year, the least browsers' preload lists ask for

# Applications -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "django_filters",
    "hosts",
    "jobs",
    "vmmigrate.apps.PlatformConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "vmmigrate.csp.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "vmmigrate.urls"
ASGI_APPLICATION = "vmmigrate.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# Database -----------------------------------------------------------------------------------------
database_url = required_in_production("DATABASE_URL")
if database_url:
    DATABASES: dict[str, dict[str, Any]] = {"default": environ.Env.db_url_config(database_url)}
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": STATE_DIR / "database.sqlite3"}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # A transaction that starts reading and then writes fails at once with "database is locked" unless it
        # took the write lock at its start.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name SQLite (sqlite:////path) or PostgreSQL (postgres://).")

# Redis: broker, channel layer and cache in databases of their own ---------------------------------
redis_url = required_in_production("REDIS_URL") or f"unix://{quote(str(redis_socket(STATE_DIR)))}"
REDIS = RedisAddress(redis_url)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS.database_url(LAYER_DB)], "prefix": "vm-migrate"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS.database_url(CACHE_DB),
        "KEY_PREFIX": "vm-migrate",
        "OPTIONS": {"socket_timeout": 5, "socket_connect_timeout": 5},
    }
}

# Celery: a doorbell, see vmmigrate/celery.py ------------------------------------------------------
CELERY_BROKER_URL = REDIS.broker_url()
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
# With prefetched messages, a worker dies when Redis restarts and the messages are stuck for an hour.
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_POOL = "prefork"
# Seconds a pool process may take to come up; the default of 4 is too short on a machine busy with guests.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 30.0
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 3.0  # seconds a cold shutdown lets running tasks finish
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 30} | (
    {} if REDIS.is_socket else {"socket_keepalive": True}
)
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_CREATE_MISSING_QUEUES = False
# With an exchange each: queues that share one and its default key would both get every message.
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in ("migrate", "control", "storage")
]
CELERY_TASK_TIME_LIMIT = None
CELERY_BEAT_SCHEDULER = "vmmigrate.beat:WatchedScheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    # `expires`: while no worker runs, the same request must not pile up in the queue.
    "refresh-all-hosts": {
        "task": "hosts.tasks.refresh_all_hosts",
        "schedule": 30.0,
        "options": {"queue": "control", "expires": 30},
    },
    "reconcile": {
        "task": "jobs.tasks.reconcile",
        "schedule": 15.0,
        "options": {"queue": "control", "expires": 15},
    },
    "sweep-spool": {
        "task": "hosts.tasks.sweep_spool",
        "schedule": 3600.0,
        "options": {"queue": "control", "expires": 600},
    },
    "watch-storage-operations": {
        "task": "hosts.tasks.watch_storage_operations",
        "schedule": 15.0,
        "options": {"queue": "control", "expires": 15},
    },
}

# Static files -------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Embedded: served straight from the sources, so that a change shows on reload. Production: collected at
# build time, compressed, with a content hash in every name.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not PRODUCTION
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# Logs ---------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "vmmigrate.log_format.OneLineFormatter", "role": ROLE}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("VM_MIGRATE_LOG_LEVEL", "INFO").upper()},
    "loggers": {
        # These say what we say better, or say it once per request.
        "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "daphne": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
        # Every bell twice, every schedule once: what the tasks did is said by the services.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        # A refused form (422) is no fault of the product; its page says what is wrong.
        "django.request": {"level": "ERROR"},
    },
}
