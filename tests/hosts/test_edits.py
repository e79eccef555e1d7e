"""What the product changes in libvirt's XML, and that it changes nothing else."""

from __future__ import annotations

import pytest
from lxml import etree

from hosts.facts.edits import (
    add_running_permissions,
    find_cache,
    find_media,
    render_cache_none,
    render_empty_drive,
    render_twin_pool,
    render_volume,
)
from hosts.facts.storage import parse_pool

# As `virsh dumpxml --inactive --security-info` writes it, with what is easily lost: secrets, metadata, another
# namespace, odd characters.
DOMAIN = """<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web&lt;01&gt;</name>
  <metadata><app:note xmlns:app='urn:app' app:by="anna &amp; bert">keep me</app:note></metadata>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='writeback' io='threads' discard='unmap'/>
      <source file='/images/web01.qcow2' startupPolicy='mandatory'/>
      <target dev='vda' bus='virtio'/>
      <iotune><total_iops_sec>100</total_iops_sec></iotune>
    </disk>
    <disk type='file' device='disk'>
      <source file='/images/bare.img'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='block' device='cdrom'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source dev='/dev/sr0' index='2'/>
      <backingStore/>
      <target dev='sda' bus='sata' tray='open'/>
      <readonly/>
      <alias name='sata0-0-0'/>
      <address type='drive' controller='0' bus='0' target='0' unit='0'/>
    </disk>
    <graphics type='vnc' port='-1' autoport='yes' passwd='s3cret'/>
  </devices>
  <qemu:commandline><qemu:arg value='-nodefaults'/></qemu:commandline>
</domain>"""


def canonical(xml: str) -> str:
    return str(etree.canonicalize(xml))


def test_cache_none_changes_one_word() -> None:
    assert find_cache(DOMAIN, "vda") == "writeback"
    after = render_cache_none(DOMAIN, "vda")
    assert canonical(after) == canonical(DOMAIN.replace("cache='writeback' io", "cache='none' io"))


def test_cache_none_of_a_disk_that_says_nothing_of_its_driver() -> None:
    assert find_cache(DOMAIN, "vdb") == ""
    after = render_cache_none(DOMAIN, "vdb")
    golden = DOMAIN.replace(
        "<disk type='file' device='disk'>\n      <source file='/images/bare.img'/>",
        "<disk type='file' device='disk'>\n      <driver cache='none'/><source file='/images/bare.img'/>",
    )
    assert canonical(after) == canonical(golden)
    assert find_cache(after, "vdb") == "none"


def test_emptied_drive_keeps_all_that_is_the_drives_own() -> None:
    assert find_media(DOMAIN, "sda") == "/dev/sr0"
    drive = etree.fromstring(render_empty_drive(DOMAIN, "sda"))
    assert [child.tag for child in drive] == ["driver", "target", "readonly", "alias", "address"]
    assert dict(drive.attrib) == {"type": "file", "device": "cdrom"}


def test_disk_of_the_guest_is_never_emptied() -> None:
    with pytest.raises(ValueError, match="vda is a disk"):
        render_empty_drive(DOMAIN, "vda")


@pytest.mark.parametrize("change", [find_media, render_empty_drive, find_cache, render_cache_none])
def test_disk_that_is_not_there_is_said(change) -> None:
    with pytest.raises(ValueError, match="no disk or drive sdz"):
        change(DOMAIN, "sdz")


def test_twin_of_a_pool_leaves_out_what_belongs_to_one_host() -> None:
    pool = """<pool type='netfs'><name>VM</name><uuid>5d1bbb3e-0000-4000-8000-000000000001</uuid>
<capacity unit='bytes'>9</capacity><allocation unit='bytes'>1</allocation><available unit='bytes'>8</available>
<source><host name='nfs'/><dir path='/export'/><format type='nfs'/></source>
<target><path>/images/VM</path><permissions><mode>0711</mode><owner>0</owner><group>0</group></permissions></target>
</pool>"""
    twin = etree.fromstring(render_twin_pool(pool))
    assert [child.tag for child in twin] == ["name", "source", "target"]
    assert twin.findtext("target/permissions/mode") == "0711"


def test_volume_is_sparse_where_the_pool_keeps_files_and_only_there() -> None:
    assert canonical(render_volume("dir", "a<b>.img", "raw", 1024)) == canonical(
        "<volume><name>a&lt;b&gt;.img</name><capacity unit='bytes'>1024</capacity>"
        "<allocation unit='bytes'>0</allocation><target><format type='raw'/></target></volume>"
    )
    assert "allocation" not in render_volume("logical", "lv", "raw", 1024)


NO_PERMISSIONS = "<pool type='dir'><name>a</name><target><path>/a</path></target></pool>"
PERMISSIONS = "<permissions><mode>0755</mode><owner>0</owner><group>0</group></permissions>"


def test_definition_takes_the_permissions_that_the_running_pool_tells() -> None:
    running = NO_PERMISSIONS.replace("</target>", f"{PERMISSIONS}</target>")
    assert parse_pool(add_running_permissions(NO_PERMISSIONS, running)).target_path == "/a"
    assert add_running_permissions(NO_PERMISSIONS, running) == running
    own = running.replace("0755", "0711")
    assert add_running_permissions(own, running) == own
    assert add_running_permissions(NO_PERMISSIONS, NO_PERMISSIONS) == NO_PERMISSIONS
