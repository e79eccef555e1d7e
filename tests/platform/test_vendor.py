"""What is vendored is what was released: every file is listed and has its checksum."""

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
NOT_VENDORED = {"SHA256SUMS", "README.md"}


def read_checksums() -> dict[str, str]:
    lines = (VENDOR / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def test_every_vendored_file_has_its_listed_checksum():
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name not in NOT_VENDORED
    }
    assert found == read_checksums()


def test_vendored_scripts_evaluate_no_text_as_code():
    for path in VENDOR.glob("*.js"):
        assert not re.search(r"new Function\(|\beval\(", path.read_text()), path.name


def test_icon_sprite_has_named_symbols_only():
    root = ElementTree.parse(VENDOR / "icons.svg").getroot()  # noqa: S314 (our own file, checked above)
    symbols = list(root)
    names = [symbol.get("id") for symbol in symbols]
    assert all(symbol.tag.endswith("}symbol") and symbol.get("viewBox") for symbol in symbols)
    assert len(names) == len(set(names)) >= 60
    assert {"play-fill", "hdd-network", "x-octagon-fill", "arrow-left-right"} <= set(names)
