"""The scripts in bin/ refuse what they do not know, and a test run without a test has failed."""

import shutil
import subprocess

import pytest

from vmmigrate.paths import ROOT


def run(*command, directory=ROOT):
    return subprocess.run(
        command,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_run_of_no_test_has_failed():
    done = run(
        "bin/test", "--no-check", "--group", "core", "tests/platform/test_vendor.py", "-k", "no_such_test"
    )
    assert done.returncode == 1, done.stdout
    assert "no test ran" in done.stdout


def test_a_selected_test_runs_from_any_directory(tmp_path):
    arguments = ("--no-check", "--group", "core", "tests/platform/test_vendor.py")
    done = run(str(ROOT / "bin/test"), *arguments, directory=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bin/test: passed" in done.stdout


@pytest.mark.parametrize(
    "command", [("bin/test", "--group", "nonsense"), ("bin/setup", "nonsense"), ("bin/demo", "--nonsense")]
)
def test_unknown_arguments_are_refused_before_anything_is_done(command):
    done = run(*command)
    assert done.returncode == 2
    assert "nonsense" in done.stderr or "what for?" in done.stderr


def test_every_script_is_sound_shell():
    shellcheck = shutil.which("shellcheck")
    assert shellcheck, "shellcheck is named in packages/test.txt"
    scripts = [ROOT / "bin" / name for name in ("setup", "lock", "check", "test", "demo")]
    done = run(shellcheck, *map(str, scripts), str(ROOT / ".ci" / "run"))
    assert done.returncode == 0, done.stdout
