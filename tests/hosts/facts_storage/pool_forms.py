"""Forms of every pool type, as people fill them in; a real libvirt gave the files of tests/data/pools for them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from hosts.facts.pool_template import POOL_TYPES, PoolForm
from hosts.facts.pool_template_places import PLACES

GOLDEN: Final = Path(__file__).parents[2] / "data" / "pools"

# Types that the libvirt of the lab has a backend for.
FORMS: Final = {
    "dir": PoolForm("dir", "t-dir", "/var/lib/images"),
    "dir-permissions": PoolForm(
        "dir", "t-dir-perms", "/var/lib/images", mode="0751", owner="107", group="-1", cow="no"
    ),
    "dir-odd-name": PoolForm("dir", "t 🚀 <script>alert('&')", "/var/lib/images/a b 🚀 <b>"),
    "fs": PoolForm(
        "fs", "t-fs", "/mnt/fs", devices=("/dev/sdb1",), source_format="xfs", mount_options=("noatime", "nodev"),
        mode="0711", owner="0", group="0",
    ),
    "fs-auto": PoolForm("fs", "t-fs-auto", "/mnt/fs", devices=("/dev/sdb1",), source_format="auto"),
    "netfs-nfs": PoolForm(
        "netfs", "t-nfs", "/mnt/nfs", hosts=("nas.example",), source_dir="/srv/vm", source_format="nfs",
        protocol_version="4.2", mount_options=("hard", "nconnect=4"), mode="0755", owner="-1", group="36",
    ),
    "netfs-auto": PoolForm(
        "netfs", "t-auto", "/mnt/nfs", hosts=("192.0.2.9",), source_dir="/srv/vm", source_format="auto"
    ),
    "netfs-glusterfs": PoolForm(
        "netfs", "t-glusterfs", "/mnt/gluster", hosts=("gluster.example",), source_dir="VM", source_format="glusterfs",
    ),
    "netfs-cifs": PoolForm(
        "netfs", "t-cifs", "/mnt/cifs", hosts=("windows.example",), source_dir="vm/disks", source_format="cifs",
        mount_options=("credentials=/etc/libvirt/cifs-vm", "vers=3.1.1", "username=libvirt"),
    ),
    "iscsi": PoolForm(
        "iscsi", "t-iscsi", "/dev/disk/by-path", hosts=("san.example",), target_iqn="iqn.2013-06.com.example:vm"
    ),
    "iscsi-chap": PoolForm(
        "iscsi", "t-iscsi-chap", "/dev/disk/by-path", hosts=("[2001:db8::1]:3261",),
        target_iqn="iqn.2013-06.com.example:vm", initiator_iqn="iqn.2013-06.com.example:mercury",
        auth_username="libvirt", secret_usage="san of the guests",
    ),
    "logical": PoolForm("logical", "t-logical", source_name="vg_guests", source_format="lvm2"),
    "logical-devices": PoolForm(
        "logical", "t-logical-devices", source_name="vg_new", devices=("/dev/sdc", "/dev/sdb"), source_format="lvm2",
        mode="0700",
    ),
    "disk": PoolForm("disk", "t-disk", "/dev", devices=("/dev/sdd",), source_format="gpt"),
    "gluster": PoolForm(
        "gluster", "t-gluster", hosts=("gluster.example:24007",), source_name="VM", source_dir="/disks"
    ),
    "mpath": PoolForm("mpath", "t-mpath", "/dev/mapper"),
}  # fmt: skip

# Types whose backend that libvirt was built without: libvirt's parser knows them all the same.
PARSED_FORMS: Final = {
    "iscsi-direct": PoolForm(
        "iscsi-direct", "t-iscsi-direct", hosts=("san.example:3260",), target_iqn="iqn.2013-06.com.example:vm",
        initiator_iqn="iqn.2013-06.com.example:mercury", auth_username="libvirt",
        secret_uuid="2ec115d7-3a88-3ceb-bc12-0ac909a6fd87",
    ),
    "rbd": PoolForm(
        "rbd", "t-rbd", hosts=("mon2.example:6789", "mon1.example", "[2001:db8::3]:3300"), source_name="vms",
        auth_username="libvirt", secret_usage="ceph of the guests",
    ),
    "zfs": PoolForm("zfs", "t-zfs", source_name="tank/vm"),
}  # fmt: skip
ALL_FORMS: Final = FORMS | PARSED_FORMS


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.xml").read_text(encoding="utf-8")


# What XML can hold and people may type; surrogates and control characters are refused elsewhere.
_TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=12)


def forms() -> st.SearchStrategy[PoolForm]:
    """Any form at all, right or wrong, with all fields of all types filled in at random."""
    return st.builds(
        PoolForm,
        type=st.sampled_from([item.name for item in POOL_TYPES]),
        hosts=st.lists(_TEXT | st.sampled_from(["a:1", "[::1]:2", "::1", "[x]", "b:"]), max_size=3).map(tuple),
        devices=st.lists(_TEXT, max_size=3).map(tuple),
        mount_options=st.lists(_TEXT, max_size=3).map(tuple),
        config_options=st.lists(_TEXT | st.sampled_from(["a=b", "a=", "=b", "a=b=c"]), max_size=3).map(tuple),
        **dict.fromkeys(PLACES, _TEXT),
    )  # fmt: skip
