"""Encryption of what must not be readable in the database: MultiFernet over the key ring of the settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class SecretUnreadable(Exception):
    """The stored secret was encrypted with a key that is no longer in the ring."""


def _ring() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.SECRET_KEY_RING])


def encrypt(data: Any) -> str:
    return _ring().encrypt(json.dumps(data).encode()).decode() if data else ""


def decrypt(token: str) -> Any:
    if not token:
        return {}
    try:
        return json.loads(_ring().decrypt(token.encode()))
    except InvalidToken as error:
        raise SecretUnreadable(
            "A stored secret cannot be read: its key is missing from the key ring."
        ) from error


if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class EncryptedJSONField(_TextField):
    """A dictionary, encrypted at rest. Empty is stored as "" so that "has no secret" stays visible to queries."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return {} if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str:
        return value if isinstance(value, str) else encrypt(value or {})

    def to_python(self, value: Any) -> Any:
        return decrypt(value) if isinstance(value, str) else value
