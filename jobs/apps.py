from django.apps import AppConfig


class JobsConfig(AppConfig):
    """What is done: preflight, moves, approvals, history."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import system_checks  # noqa: F401 (importing it registers its checks)
