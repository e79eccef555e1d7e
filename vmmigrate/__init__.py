"""The project: settings, the ASGI and Celery applications, and the embedded launcher."""
