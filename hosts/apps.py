from django.apps import AppConfig


class HostsConfig(AppConfig):
    """What exists: connections, inventory, storage pool templates."""

    name = "hosts"
    default_auto_field = "django.db.models.BigAutoField"
