from collections.abc import Iterator

import pytest

from tests.platform.installation import Installation, processes_of


@pytest.fixture
def installation(tmp_path) -> Iterator[Installation]:
    """A stopped installation in a directory whose name needs quoting; whatever is left of it is ended."""
    installation = Installation(tmp_path / "state with blanks")
    yield installation
    if installation.process and installation.process.poll() is None:
        installation.process.kill()
        installation.process.wait()
    assert not processes_of(installation.state_dir)
