"""What this machine has beyond the lab's packages."""

from __future__ import annotations

from pathlib import Path


def lacks_swtpm() -> str:
    return _lacks("/usr/bin/swtpm", "swtpm swtpm-tools")


def lacks_ovmf() -> str:
    return _lacks("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf")


def _lacks(path: str, packages: str) -> str:
    return "" if Path(path).exists() else f"apt-get install --no-install-recommends {packages}"
