"""Checks of a deployment, run by `manage.py check --deploy`."""
