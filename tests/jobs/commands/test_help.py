"""What `manage.py move --help` says."""

from __future__ import annotations

import pytest
from django.core.management import load_command_class

from jobs.management.arguments import flag_of
from jobs.options import OPTIONS


@pytest.mark.parametrize("command", ["move", "preflight"])
def test_help_names_every_option_and_its_unit(command: str) -> None:
    text = load_command_class("jobs", command).create_parser("manage.py", command).format_help()
    assert not [option.field for option in OPTIONS if flag_of(option.field) not in text]
    words = " ".join(text.split())
    assert not [option.field for option in OPTIONS if option.unit and f"Unit: {option.unit}." not in words]
