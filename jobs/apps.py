from django.apps import AppConfig


class JobsConfig(AppConfig):
    """What is done: preflight, moves, approvals, history."""

    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
