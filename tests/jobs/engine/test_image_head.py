"""Images whose data lies in another file, by the headers that qemu-img itself writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jobs.engine.image_head import HEAD_BYTES, keeps_data_elsewhere


@pytest.mark.parametrize(
    ("words", "elsewhere"),
    [
        (("-f", "qcow2", "-o", "data_file=data.raw"), True),
        (("-f", "vmdk", "-o", "subformat=monolithicFlat"), True),
        (("-f", "vmdk", "-o", "subformat=monolithicSparse"), False),
        (("-f", "qcow2"), False),
        (("-f", "qcow2", "-o", "compat=0.10"), False),
        (("-f", "raw"), False),
    ],
    ids=lambda value: "-".join(value[1:]) if isinstance(value, tuple) else "",
)
def test_image_says_whether_its_data_lies_in_another_file(
    tmp_path: Path, words: tuple[str, ...], elsewhere: bool
) -> None:
    subprocess.run(["qemu-img", "create", "-q", *words, "image", "1M"], cwd=tmp_path, check=True)
    with (tmp_path / "image").open("rb") as file:
        assert keeps_data_elsewhere(file.read(HEAD_BYTES)) == elsewhere


def test_header_that_is_cut_off_says_nothing() -> None:
    assert not keeps_data_elsewhere(b"")
    assert not keeps_data_elsewhere(b"QFI\xfb\0\0\0\3")
