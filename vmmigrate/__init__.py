"""The project: settings, the ASGI and Celery applications, and the embedded launcher."""

from vmmigrate.celery import app as celery_app

__all__ = ["celery_app"]
