from django.apps import AppConfig


class PlatformConfig(AppConfig):
    """Brings in the Celery application and the checks of a deployment."""

    name = "vmmigrate"
    label = "platform"

    def ready(self) -> None:
        # Tasks bind to the application that exists when they are called: every process needs ours.
        from vmmigrate import celery, checks  # noqa: F401 (importing them registers them)
