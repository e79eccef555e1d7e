"""Cases of checks as plain files: a base that two real hosts told, and what is different in each folder.

The format is described in tests/data/checks/README.md.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hosts.facts.codec import from_data, to_data
from hosts.facts.domain import parse_domain
from hosts.facts.host import parse_capabilities
from jobs.preflight.context import HostSide, PreflightContext

FOLDERS: Final = Path(__file__).parents[2] / "data" / "checks"
BASE: Final = FOLDERS / "_base"
FILES: Final = frozenset(
    {"guest.xml", "changes.json", "expect.json", "source-capabilities.xml", "destination-capabilities.xml"}
)


@dataclass(frozen=True)
class Case:
    """One folder. `expected` is what expect.json says; empty for a passing case."""

    check_id: str
    folder: Path
    expected: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.check_id}/{self.folder.name}"

    @property
    def fails(self) -> bool:
        return self.folder.name.startswith("failing")

    @property
    def changes(self) -> dict[str, Any]:
        found: dict[str, Any] = _read_json(self.folder / "changes.json")
        return found


def list_folders() -> tuple[Path, ...]:
    """One for each check that has cases."""
    return tuple(sorted(path for path in FOLDERS.iterdir() if path.is_dir() and path != BASE))


def list_cases() -> tuple[Case, ...]:
    return tuple(
        Case(folder.name, path, _read_json(path / "expect.json"))
        for folder in list_folders()
        for path in sorted(folder.iterdir())
        if path.is_dir()
    )


def load_context(folder: Path = BASE) -> PreflightContext:
    """The base, with what this folder has in its place, with its changes. Raises what from_data raises."""
    data = _read_json(BASE / "context.json")
    xml = _find_file(folder, "guest.xml")
    facts = parse_domain(xml)
    data["guest"] |= {
        "domain_uuid": facts.domain_uuid,
        "name": facts.name,
        "facts": to_data(facts),
        "xml": xml,
        "inactive_xml": xml,
    }
    for side in ("source", "destination"):
        capabilities = parse_capabilities(_find_file(folder, f"{side}-capabilities.xml"))
        data[side]["facts"] |= to_data(capabilities)
    changes = _read_json(folder / "changes.json")
    return from_data(_completed(merge_patch(data, changes), changes), PreflightContext)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null removes, anything else is put in the place of what was there."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _completed(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """What was removed and has no default is not known: None. At a disk path null says "nothing there"."""
    for kind, part in ((PreflightContext, data), (HostSide, data["source"]), (HostSide, data["destination"])):
        for field in dataclasses.fields(kind):
            if field.default is field.default_factory is dataclasses.MISSING:
                part.setdefault(field.name, None)
    volumes = (changes.get("destination_reading") or {}).get("volumes") or {}
    for path in (path for path, volume in volumes.items() if volume is None):
        data["destination_reading"]["volumes"][path] = None
    return data


def _find_file(folder: Path, name: str) -> str:
    path = folder / name
    return (path if path.exists() else BASE / name).read_text(encoding="utf-8")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
