"""Reading the environment strictly: every variable has a type, unknown ones are refused, secrets come first.

No Django models here: settings.py is built from this module.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from vmmigrate.paths import make_private_dir

PREFIX = "VM_MIGRATE_"
BROKER_DB, LAYER_DB, CACHE_DB = 0, 1, 2


def refuse_unknown(environ: Iterable[str], known: Iterable[str]) -> None:
    """Raise ImproperlyConfigured for VM_MIGRATE_* variables nobody reads: a misspelt one must not pass."""
    allowed = {PREFIX + name for name in known}
    allowed |= {f"{name}_FILE" for name in allowed}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in allowed)
    if unknown:
        raise ImproperlyConfigured(
            f"Unknown variable{'s' if len(unknown) > 1 else ''} in the environment: {', '.join(unknown)}. "
            f"Known are: {', '.join(PREFIX + name for name in sorted(known))} (each also with _FILE)."
        )


def read_or_create_secret(path: Path, create: Callable[[], str]) -> str:
    """Return the secret kept in `path`, made on first use and readable by its owner only."""
    make_private_dir(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    if not path.exists():
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(create() + "\n")
        # link() refuses an existing name: of two first starts at once, both end up with the secret of the first.
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def new_secret_key() -> str:
    return secrets.token_urlsafe(64)


def new_fernet_key() -> str:
    return Fernet.generate_key().decode()


def check_key_ring(keys: list[str]) -> list[str]:
    """Return `keys`, or raise ImproperlyConfigured without showing them if one is no Fernet key."""
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{PREFIX}SECRET_KEYS: key {position} is not a Fernet key (32 bytes in URL-safe base64)."
            ) from error
    return keys


class RedisAddress:
    """One Redis server, as REDIS_URL names it, and the address of each of its databases.

    `redis://host:port`, `rediss://host:port` (TLS, certificate checked) or `unix:///path/to/redis.sock`.
    A database number in the URL is refused: the product uses three of them.
    """

    def __init__(self, url: str) -> None:
        self.parts: SplitResult = urlsplit(url)
        if self.parts.scheme not in {"redis", "rediss", "unix"}:
            raise ImproperlyConfigured("REDIS_URL must start with redis://, rediss:// or unix:///.")
        self.query: dict[str, str] = dict(parse_qsl(self.parts.query))
        if self.is_socket:
            if not self.parts.path.startswith("/") or "db" in self.query:
                raise ImproperlyConfigured("REDIS_URL: unix:// wants an absolute path and no db number.")
        elif not self.parts.hostname or self.parts.path.strip("/"):
            raise ImproperlyConfigured("REDIS_URL wants a host and no database number.")
        if self.parts.scheme == "rediss":
            self.query.setdefault("ssl_cert_reqs", "required")

    @property
    def is_socket(self) -> bool:
        return self.parts.scheme == "unix"

    def database_url(self, number: int) -> str:
        """Return the address of database `number` as redis-py reads it."""
        if self.is_socket:
            return self._url("unix", self.parts.path, {**self.query, "db": str(number)})
        return self._url(self.parts.scheme, f"/{number}", self.query)

    def broker_url(self) -> str:
        """Return the broker's address as Celery reads it: it has its own way to name a socket."""
        if self.is_socket:
            query = {**self.query, "virtual_host": str(BROKER_DB)}
            return self._url("redis+socket", self.parts.path, query)
        return self.database_url(BROKER_DB)

    def _url(self, scheme: str, path: str, query: Mapping[str, str]) -> str:
        # Built by hand: urlunsplit drops the empty host of schemes it does not know.
        tail = f"?{urlencode(query)}" if query else ""
        return f"{scheme}://{self.parts.netloc}{path}{tail}"
