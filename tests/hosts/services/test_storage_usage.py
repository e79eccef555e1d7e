"""Which guests use what, from what was read: by path, by name, through layers, on other hosts of the same storage."""

from __future__ import annotations

import pytest

from hosts.models import Host
from hosts.services import usage
from tests.hosts.services.storage import make_guest, make_host, make_pool, make_volume, store

pytestmark = pytest.mark.django_db
NFS = {"type": "netfs", "source": "netfs nfs 10.0.0.5:/srv/vm"}


def names(host: Host, pool: str = "VM") -> dict[str, list[str]]:
    return {
        path: [guest.name for guest in guests] for path, guests in usage.users_by_path(host, pool).items()
    }


def test_disk_in_the_folder_counts_and_one_beside_or_below_it_does_not() -> None:
    host = make_host("mercury", make_pool("VM"))
    make_guest(host, "in", "/pool/a.img")
    make_guest(host, "beside", "/poolside/a.img")
    make_guest(host, "below", "/pool/sub/a.img")
    assert names(host) == {"/pool/a.img": ["in"]}


def test_mounted_file_system_is_used_with_everything_below_it() -> None:
    host = make_host("mercury", make_pool("VM", **NFS))
    make_guest(host, "deep", "/pool/sub/a.img")
    assert names(host) == {"/pool/sub/a.img": ["deep"]}


def test_guest_that_is_off_uses_the_layers_below_its_disk() -> None:
    pool, other = make_pool("VM"), make_pool("base", "/base")
    host = make_host("mercury", pool, other)
    store(
        host,
        pool,
        make_volume("top", backing_path="middle"),
        make_volume("middle", backing_path="/base/golden"),
    )
    store(host, other, make_volume("golden", "base", "/base/golden"))
    make_guest(host, "off", "/pool/top", state="shut off")
    assert names(host) == {"/pool/top": ["off"], "/pool/middle": ["off"]}
    assert names(host, "base") == {"/base/golden": ["off"]}
    assert usage.volumes_on_top(host, "base", "golden") == ("middle",)


def test_images_that_point_at_each_other_end() -> None:
    pool = make_pool("VM")
    host = make_host("mercury", pool)
    store(host, pool, make_volume("a", backing_path="/pool/b"), make_volume("b", backing_path="/pool/a"))
    make_guest(host, "looped", "/pool/a")
    assert set(names(host)) == {"/pool/a", "/pool/b"}


def test_disk_that_names_a_volume_counts_even_if_the_volume_was_never_read() -> None:
    host = make_host("mercury", make_pool("VM"))
    disk = "<disk type='volume'><source pool='VM' volume='v.img'/><target dev='vda'/></disk>"
    make_guest(host, "named", disk)
    assert names(host) == {"/pool/v.img": ["named"]}


def test_guest_elsewhere_counts_on_the_same_network_storage_under_the_path_of_this_host() -> None:
    here = make_host("mercury", make_pool("VM", **NFS))
    there = make_host("jupiter", make_pool("images", "/mnt/images", **NFS))
    make_guest(there, "far", "/mnt/images/a.img")
    assert names(here) == {"/pool/a.img": ["far"]}
    use = usage.users_of_volume(here, "VM", "a.img")[0]
    assert (use.guest.host.name, use.disk, use.running) == ("jupiter", "vda", True)
    assert usage.name_guests((use,)) == "far on jupiter (running)"


def test_folder_of_the_same_name_elsewhere_is_another_thing() -> None:
    here = make_host("mercury", make_pool("VM"))
    make_guest(make_host("jupiter", make_pool("VM")), "far", "/pool/a.img")
    assert names(here) == {}


def test_rbd_image_is_found_by_its_name() -> None:
    pool = make_pool("ceph", "", type="rbd", source="rbd mon1:6789,mon2:6789:vms")
    host = make_host("mercury", pool)
    disk = "<disk type='network'><source protocol='rbd' name='vms/web'/><target dev='vda'/></disk>"
    make_guest(host, "clustered", disk)
    assert names(host, "ceph") == {"vms/web": ["clustered"]}


def test_layers_of_one_host_are_not_those_of_another_with_the_same_paths() -> None:
    hosts = [make_host(name, make_pool("VM")) for name in ("mercury", "jupiter")]
    for host, below in zip(hosts, ("left", "right"), strict=True):
        store(host, make_pool("VM"), make_volume("top", backing_path=below), make_volume(below))
        make_guest(host, f"on-{host.name}", "/pool/top")
    found = usage.users_on_each(hosts, "VM")
    assert {use.path for use in found[hosts[0].pk]} == {"/pool/top", "/pool/left"}
    assert {use.path for use in found[hosts[1].pk]} == {"/pool/top", "/pool/right"}


def test_device_pool_counts_only_what_was_read_of_it() -> None:
    pool = make_pool("lun", "/dev/disk/by-path", type="iscsi", source="iscsi 10.0.0.5:iqn")
    host = make_host("mercury", pool)
    store(host, pool, make_volume("unit:0:0:1", "lun", "/dev/disk/by-path/ip-1"))
    for name, path in (("mine", "/dev/disk/by-path/ip-1"), ("other", "/dev/disk/by-path/pci-1")):
        make_guest(host, name, f"<disk type='block'><source dev='{path}'/><target dev='vda'/></disk>")
    assert names(host, "lun") == {"/dev/disk/by-path/ip-1": ["mine"]}


def test_guest_that_is_gone_and_pool_that_is_unknown_have_no_users() -> None:
    host = make_host("mercury", make_pool("VM"))
    guest = make_guest(host, "went", "/pool/a.img")
    guest.gone_at = guest.read_at
    guest.save()
    assert names(host) == names(host, "nowhere") == {}
    assert usage.users_of_pool(Host.objects.create(name="new", address="qemu+ssh://new/system"), "VM") == ()


def test_many_guests_are_named_shortly() -> None:
    host = make_host("mercury", make_pool("VM"))
    for number in range(7):
        make_guest(host, f"g{number}", "/pool/base", state="shut off")
    words = usage.name_guests(usage.users_of_pool(host, "VM"))
    assert words.endswith("g4 on mercury and 2 more")


def test_layer_of_a_volume_is_found_by_a_relative_name_and_on_other_hosts_of_the_same_storage() -> None:
    here_pool, there_pool = make_pool("VM", **NFS), make_pool("images", "/mnt/images", **NFS)
    here, there = make_host("mercury", here_pool), make_host("jupiter", there_pool, make_pool("own", "/own"))
    store(here, here_pool, make_volume("golden"), make_volume("beside", backing_path="golden"))
    store(
        there,
        make_pool("own", "/own"),
        make_volume("far", "own", "/own/far", backing_path="/mnt/images/golden"),
    )
    store(there, there_pool, make_volume("golden", "images", "/mnt/images/golden"))
    assert usage.volumes_on_top(here, "VM", "golden") == ("beside", "far on jupiter")
    assert usage.volumes_on_top(here, "VM", "beside") == ()


def test_guest_that_reaches_the_same_network_storage_by_another_pool_of_this_host_counts() -> None:
    host = make_host("mercury", make_pool("VM", **NFS), make_pool("again", "/mnt/again", **NFS))
    make_guest(host, "roundabout", "/mnt/again/a.img")
    assert names(host) == {"/pool/a.img": ["roundabout"]}
