from django.apps import AppConfig


class PlatformConfig(AppConfig):
    """Brings in the checks of a deployment."""

    name = "vmmigrate"
    label = "platform"

    def ready(self) -> None:
        from vmmigrate import checks  # noqa: F401 (registers the checks)
