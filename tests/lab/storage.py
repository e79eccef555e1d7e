"""The storage server: a GlusterFS daemon in the node that also holds the bridge, and the volume "VM"."""

from __future__ import annotations

from pathlib import Path

from .layout import STORAGE_OCTET, STORAGE_PATHS, Instance
from .node import Node
from .system import wait_until

VOLUME = "VM"
GLUSTERD_CONFIG = """\
volume management
    type mgmt/glusterd
    option working-directory /var/lib/glusterd
    option transport-type socket
    option transport.address-family inet
    option transport.socket.keepalive-time 10
    option transport.socket.keepalive-interval 2
    option ping-timeout 0
    option event-threads 1
end-volume
"""
# What a host caches, another host has perhaps changed: volumes for guests are run without.
OPTIONS = (
    "performance.stat-prefetch",
    "performance.quick-read",
    "performance.io-cache",
    "performance.read-ahead",
)


def storage_node(instance: Instance) -> Node:
    return Node("storage", instance.folder / "nodes" / "storage", STORAGE_PATHS)


def brick(instance: Instance) -> Path:
    """The folder in which the volume's files lie, as root and storage node see it."""
    return instance.folder / "nodes" / "storage" / "brick" / VOLUME


def start_storage(instance: Instance) -> None:
    """Start the GlusterFS daemon in its running node and offer the volume; returns when it can be mounted."""
    node = storage_node(instance)
    config = node.files / "etc/glusterfs/glusterd.vol"
    config.parent.mkdir(exist_ok=True)
    config.write_text(GLUSTERD_CONFIG)
    brick(instance).mkdir(parents=True, exist_ok=True)
    node.run(
        ["nice", "-n", "5", "glusterd", "--volfile", "/etc/glusterfs/glusterd.vol", "-p", "/run/glusterd.pid"]
    )
    wait_until(lambda: _gluster(node, "volume", "list", check=False) is not None, "glusterd", 20, 0.1)
    address = instance.address(STORAGE_OCTET)
    _gluster(node, "volume", "create", VOLUME, f"{address}:{brick(instance)}", "force")
    _gluster(node, "volume", "set", VOLUME, *(word for option in OPTIONS for word in (option, "off")))
    _gluster(node, "volume", "start", VOLUME)


def _gluster(node: Node, *words: str, check: bool = True) -> str | None:
    done = node.run(["gluster", "--mode=script", *words], check=check, timeout=60)
    return done.stdout if done.returncode == 0 else None
