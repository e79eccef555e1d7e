"""Where an embedded installation keeps its files. No Django here: the launcher needs it first."""

import hashlib
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# sockaddr_un.sun_path holds 108 bytes including the final zero (unix(7)).
SOCKET_PATH_BYTES_MAX = 107


def default_state_dir() -> Path:
    """Return the state directory named by the environment, else `var` in the project."""
    return Path(os.environ.get("VM_MIGRATE_STATE_DIR") or ROOT / "var").expanduser().resolve()


def make_private_dir(path: Path) -> Path:
    """Create `path` readable by its owner only; raise PermissionError if it belongs to somebody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise PermissionError(f"{path} belongs to user id {owner}, not to the user who runs VM Migrate")
    path.chmod(0o700)
    return path


def redis_socket(state_dir: Path) -> Path:
    """Return the private Redis socket of `state_dir`; in the temporary directory if its path is too long."""
    socket = state_dir / "redis" / "redis.sock"
    if len(os.fsencode(socket)) <= SOCKET_PATH_BYTES_MAX:
        return socket
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"vm-migrate-{os.geteuid()}-{digest}" / "redis.sock"
