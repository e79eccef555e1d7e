"""What the configuration files of a lab host say."""

from __future__ import annotations

from pathlib import Path

from . import credentials
from .layout import STORAGE_OCTET, HostRecord, Instance, cache_folder
from .node import Node
from .system import run

TCP_PORT, TLS_PORT, SSH_PORT = 16509, 16514, 22
VIRTLOGD_MAX_BYTES = (
    64 * 1024 * 1024
)  # a guest's serial log is evidence: it must not be rotated away within a day

QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
remember_owner = 0
# Device nodes and control groups of the machine are not the lab's to change.
namespaces = []
cgroup_controllers = []
default_tls_x509_cert_dir = "/etc/pki/qemu"
default_tls_x509_verify = 1
"""
SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
MaxStartups 100
"""
SSH_CONFIG = "Host *\n    BatchMode yes\n    IdentityFile /root/.ssh/id_ed25519\n    ConnectTimeout 10\n"
# libvirt accepts over plain TCP only mechanisms that encrypt: of the password ones that is DIGEST-MD5.
SASL_CONFIG = "mech_list: digest-md5 scram-sha-256\nsasldb_path: /etc/libvirt/passwd.db\n"
POOL_SHARED = """\
<pool type='netfs'>
  <name>VM</name>
  <source>
    <host name='storage'/>
    <dir path='VM'/>
    <format type='glusterfs'/>
  </source>
  <target>
    <path>/var/lib/libvirt/images/VM</path>
  </target>
</pool>
"""
POOL_LOCAL = """\
<pool type='dir'>
  <name>local</name>
  <target>
    <path>/var/lib/libvirt/images/local</path>
  </target>
</pool>
"""


def hosts_file(instance: Instance, name: str) -> str:
    """/etc/hosts of a node: every host and the storage server by name."""
    lines = [f"127.0.0.1 localhost\n{instance.address(STORAGE_OCTET)} storage\n"]
    lines += [f"{host.address} {host.name}\n" for host in instance.hosts]
    return "".join(lines)


def write_host_files(instance: Instance, record: HostRecord, node: Node) -> None:
    """Fill the folders of a host that is about to start."""
    node.prepare_files(hosts_file(instance, record.name))
    files = node.files
    for directory in ("run/sshd", "var/log/libvirt/qemu", "var/log/glusterfs", "var/lib/libvirt/boot",
                      "var/lib/libvirt/images/local", "var/lib/libvirt/images/VM", "etc/lab"):  # fmt: skip
        (files / directory).mkdir(parents=True, exist_ok=True)
    _clear_machine_definitions(files / "etc/libvirt")
    (files / "etc/libvirt/qemu.conf").write_text(QEMU_CONF)
    (files / "etc/libvirt/virtlogd.conf").write_text(f"max_size = {VIRTLOGD_MAX_BYTES}\n")
    (files / "etc/ssh/sshd_config").write_text(SSHD_CONFIG)
    (files / "etc/ssh/ssh_config").write_text(SSH_CONFIG)
    (files / "etc/sasl2").mkdir(exist_ok=True)
    (files / "etc/sasl2/libvirt.conf").write_text(SASL_CONFIG)
    (files / "etc/lab/pool-VM.xml").write_text(POOL_SHARED)
    (files / "etc/lab/pool-local.xml").write_text(POOL_LOCAL)
    write_libvirtd_conf(record, files, sasl=False)
    credentials.install_on_host(instance, record.name, files)
    _write_sasl_accounts(instance, record, files)
    for image in ("vmlinuz", "initrd.img"):
        (files / "var/lib/libvirt/boot" / image).hardlink_to(cache_folder() / image)


def write_libvirtd_conf(record: HostRecord, files: Path, *, sasl: bool) -> None:
    """Write libvirtd.conf; with sasl the TCP listener wants user and password."""
    (files / "etc/libvirt/libvirtd.conf").write_text(
        f'host_uuid = "{record.uuid}"\n'
        f'listen_addr = "{record.address}"\n'
        "listen_tcp = 1\n"
        f'tcp_port = "{TCP_PORT}"\n'
        f'auth_tcp = "{"sasl" if sasl else "none"}"\n'
        "listen_tls = 1\n"
        f'tls_port = "{TLS_PORT}"\n'
        'auth_tls = "none"\n'
        'auth_unix_ro = "none"\n'
        'auth_unix_rw = "none"\n'
        'log_outputs = "3:file:/var/log/libvirt/libvirtd.log"\n'
    )


def _clear_machine_definitions(folder: Path) -> None:
    """The machine's own guests, networks and pools came with the copy of its /etc: they are not the lab's."""
    for pattern in ("qemu/*.xml", "qemu/autostart/*", "qemu/networks/*.xml", "qemu/networks/autostart/*",
                    "storage/*.xml", "storage/autostart/*", "secrets/*"):  # fmt: skip
        for path in folder.glob(pattern):
            path.unlink()


def _write_sasl_accounts(instance: Instance, record: HostRecord, files: Path) -> None:
    """One account, known to this host's libvirtd, and to its libvirt clients for moves to other hosts."""
    keys = credentials.read(instance)
    database = files / "etc/libvirt/passwd.db"
    run(["saslpasswd2", "-p", "-c", "-f", database, "-a", "libvirt", "-u", record.name, keys.sasl_user],
        input=keys.sasl_password)  # fmt: skip
    (files / "etc/libvirt/auth.conf").write_text(
        f"[credentials-lab]\nauthname={keys.sasl_user}\npassword={keys.sasl_password}\n"
        "[auth-libvirt-default]\ncredentials=lab\n"
    )
