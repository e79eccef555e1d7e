"""A strict Content-Security-Policy holds only while no template writes script or style into the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
FORBIDDEN = {
    "a style attribute": re.compile(r"\sstyle\s*=", re.I),
    "a style element": re.compile(r"<style\b", re.I),
    "an event handler": re.compile(r"\son[a-z]+\s*=", re.I),
    "an htmx handler": re.compile(r"\shx-on[:\-]", re.I),
    "a script in the page": re.compile(r"<script(?![^>]*\bsrc=)", re.I),
    "an expression for htmx": re.compile(r"[\"']\s*js:|hx-trigger=\"[^\"]*\[", re.I),
    "an unescaped value": re.compile(r"\|\s*safe\b|\bautoescape\s+off"),
    "something from elsewhere": re.compile(r"(?:src|href)=\"(?:https?:)?//", re.I),
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_template_has_nothing_the_policy_forbids(path: Path, what: str) -> None:
    assert not FORBIDDEN[what].search(path.read_text()), f"{path.name} has {what}"


def test_scripts_of_the_shell_evaluate_no_text() -> None:
    for path in (ROOT / "static" / "js").glob("*.js"):
        assert not re.search(r"\beval\(|new Function|setAttribute\(\"style\"", path.read_text()), path.name
