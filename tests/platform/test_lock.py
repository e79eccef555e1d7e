"""What is installed is what is locked, what is locked is what is asked for, and all of it is public."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ("https://pypi.org/", "https://files.pythonhosted.org/")
PIN = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^\]]*\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def read_toml(name):
    return tomllib.loads((ROOT / name).read_text())


@pytest.fixture(scope="module")
def lock():
    return read_toml("uv.lock")


def split_requirement(text):
    """Return (name, extras, version range), each spelt as the lock does."""
    name, extras, specifier = re.fullmatch(r"([\w.-]+)(?:\[([\w,-]+)\])?\s*(.*)", text).groups()
    return name.lower(), extras, ",".join(sorted(specifier.split(",")))


def split_locked(entry):
    extras = ",".join(entry["extras"]) if "extras" in entry else None
    return entry["name"], extras, ",".join(sorted(entry.get("specifier", "").split(",")))


def test_lock_was_made_from_this_pyproject(lock):
    project = read_toml("pyproject.toml")
    (locked,) = [package for package in lock["package"] if package["name"] == project["project"]["name"]]
    metadata = locked["metadata"]
    asked = map(split_requirement, project["project"]["dependencies"])
    assert set(asked) == set(map(split_locked, metadata["requires-dist"]))
    asked_dev = map(split_requirement, project["dependency-groups"]["dev"])
    assert set(asked_dev) == set(map(split_locked, metadata["requires-dev"]["dev"]))
    assert lock["requires-python"] == project["project"]["requires-python"]


def read_pins(name):
    return {match["name"]: match["version"] for match in PIN.finditer((ROOT / name).read_text())}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_an_export_of_the_lock(lock, name):
    locked = {package["name"]: package.get("version") for package in lock["package"]}
    pins = read_pins(name)
    assert pins
    assert not {package: version for package, version in pins.items() if locked.get(package) != version}
    direct = read_toml("pyproject.toml")["project"]["dependencies"]
    assert {split_requirement(text)[0] for text in direct} <= set(pins)


def test_development_requirements_hold_the_others():
    assert read_pins("requirements.txt").items() <= read_pins("requirements-dev.txt").items()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_has_hashes(name):
    text = (ROOT / name).read_text()
    assert all("--hash=sha256:" in block for block in PIN.split(text)[3::3])


@pytest.mark.parametrize("name", ["uv.lock", "requirements.txt", "requirements-dev.txt"])
def test_lock_files_name_public_places_only(name):
    text = (ROOT / name).read_text()
    assert not [url for url in re.findall(r"\w+://[^\s\"']+", text) if not url.startswith(PUBLIC)]
    assert "--index-url" not in text
    assert "--find-links" not in text
