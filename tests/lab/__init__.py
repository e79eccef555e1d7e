"""The lab: real libvirt hosts on one machine, for demo, tests and benchmarks. See docs/guide/lab.md."""

from .guest import LabGuest
from .host import LabHost
from .lab import Lab
from .system import LabError

__all__ = ["Lab", "LabError", "LabGuest", "LabHost"]
