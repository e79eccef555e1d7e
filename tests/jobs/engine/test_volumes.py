"""What is said of the disks of a guest that was moved."""

from __future__ import annotations

from typing import Any

from jobs.engine.volumes import VolumeState, describe_arrived

PATH = "/srv/a/web01.img"


def entry(state: VolumeState, **changes: Any) -> dict[str, Any]:
    plain = {"shown": "disk vda (web01.img)", "name": "web01.img", "pool": "fast", "source_path": PATH}
    return {**plain, "state": state.value, **changes}


def test_compared_file_is_told_with_its_checksum_and_the_source_keeps_its_own() -> None:
    told = describe_arrived(
        [entry(VolumeState.VERIFIED, checksum="sha256:abc")], "mercury", "jupiter", removed=False
    )
    assert told == (
        "jupiter: disk vda (web01.img) lies in the pool fast and was compared with the source's, sha256:abc.",
        f"mercury: keeps what was copied, {PATH}; it is used by this guest no more.",
    )


def test_what_was_to_be_removed_is_not_said_to_be_kept() -> None:
    told = describe_arrived([entry(VolumeState.CREATED)], "mercury", "jupiter", removed=True)
    assert told == ("jupiter: disk vda (web01.img) lies in the pool fast, where libvirt copied it.",)


def test_what_never_arrived_is_not_spoken_of() -> None:
    states = (VolumeState.PLANNED, VolumeState.CREATING, VolumeState.REMOVED, VolumeState.LEFT)
    assert describe_arrived([entry(state) for state in states], "mercury", "jupiter", removed=False) == ()
    assert describe_arrived([], "mercury", "jupiter", removed=False) == ()
