"""Keys and certificates of one lab instance: SSH, TLS and SASL."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from .layout import Instance
from .system import run

SASL_USER = "vmmigrate"
CERTIFICATE_DAYS = 365


@dataclass(frozen=True)
class Credentials:
    """What the console needs to reach every host; tls_dir holds cacert.pem, clientcert.pem, clientkey.pem."""

    ssh_private_key_path: Path
    ssh_public_key_path: Path
    known_hosts_path: Path
    ssh_command_path: Path
    tls_dir: Path
    sasl_user: str
    sasl_password: str


def folder(instance: Instance) -> Path:
    return instance.folder / "credentials"


def read(instance: Instance) -> Credentials:
    base = folder(instance)
    return Credentials(
        ssh_private_key_path=base / "id_ed25519",
        ssh_public_key_path=base / "id_ed25519.pub",
        known_hosts_path=base / "known_hosts",
        ssh_command_path=base / "ssh",
        tls_dir=base / "tls",
        sasl_user=SASL_USER,
        sasl_password=(base / "sasl_password").read_text().strip(),
    )


def create(instance: Instance) -> None:
    """Make everything anew."""
    base = folder(instance)
    base.mkdir(mode=0o700)
    (base / "sasl_password").write_text(secrets.token_urlsafe(12) + "\n")
    _create_ssh(instance, base)
    _create_tls(instance, base / "tls")


def host_key(instance: Instance, host: str) -> Path:
    """The SSH host key a host was made with, and returns to after a test replaced it."""
    return folder(instance) / "host_keys" / host


def make_ssh_key(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def _create_ssh(instance: Instance, base: Path) -> None:
    make_ssh_key(base / "id_ed25519", f"console@{instance.name}")
    (base / "host_keys").mkdir()
    known_hosts = []
    for host in instance.hosts:
        make_ssh_key(host_key(instance, host.name), host.name)
        public = host_key(instance, host.name).with_suffix(".pub").read_text().split()[:2]
        known_hosts.append(f"{host.name},{host.address} {' '.join(public)}\n")
    (base / "known_hosts").write_text("".join(known_hosts))
    # The ssh program reads and writes ~/.ssh unless told otherwise; the lab never touches the real one.
    command = base / "ssh"
    options = ("-F /dev/null -o IdentitiesOnly=yes -o BatchMode=yes -o GlobalKnownHostsFile=/dev/null "
               f"-o UserKnownHostsFile={base / 'known_hosts'} -i {base / 'id_ed25519'}")  # fmt: skip
    command.write_text(f'#!/bin/sh\nexec /usr/bin/ssh {options} "$@"\n')
    command.chmod(0o755)


def _create_tls(instance: Instance, tls: Path) -> None:
    tls.mkdir()
    authority = (
        f"cn = VM Migrate lab {instance.name}\nca\ncert_signing_key\nexpiration_days = {CERTIFICATE_DAYS}\n"
    )
    _certtool_key(tls / "cakey.pem")
    (tls / "template").write_text(authority)
    run(["certtool", "--generate-self-signed", "--load-privkey", tls / "cakey.pem",
         "--template", tls / "template", "--outfile", tls / "cacert.pem"])  # fmt: skip
    _certificate(tls, "client", f"cn = console.{instance.name}\ntls_www_client\n")
    for host in instance.hosts:
        names = f"cn = {host.name}\ndns_name = {host.name}\nip_address = {host.address}\n"
        _certificate(tls, host.name, names + "tls_www_server\ntls_www_client\n")
    (tls / "template").unlink()


def _certificate(tls: Path, name: str, purpose: str) -> None:
    """Key and certificate <name>key.pem and <name>cert.pem signed by the lab's authority."""
    _certtool_key(tls / f"{name}key.pem")
    usage = f"encryption_key\nsigning_key\nexpiration_days = {CERTIFICATE_DAYS}\n"
    (tls / "template").write_text(purpose + usage)
    run(["certtool", "--generate-certificate", "--load-privkey", tls / f"{name}key.pem",
         "--load-ca-certificate", tls / "cacert.pem", "--load-ca-privkey", tls / "cakey.pem",
         "--template", tls / "template", "--outfile", tls / f"{name}cert.pem"])  # fmt: skip


def _certtool_key(path: Path) -> None:
    # RSA: libvirt 9 demands the usage "key encipherment", which an elliptic-curve key cannot have.
    run(["certtool", "--generate-privkey", "--key-type", "rsa", "--bits", "2048", "--outfile", path])


def install_on_host(instance: Instance, host: str, files: Path) -> None:
    """Put the keys where sshd, libvirtd and QEMU of that host look for them (files is the host's root)."""
    base, tls = folder(instance), folder(instance) / "tls"
    libvirt_pki, authority_pki, qemu_pki = (
        files / "etc/pki/libvirt",
        files / "etc/pki/CA",
        files / "etc/pki/qemu",
    )
    for directory in (libvirt_pki / "private", authority_pki, qemu_pki, files / "root/.ssh"):
        directory.mkdir(parents=True, exist_ok=True)
    for source, targets in {
        tls / "cacert.pem": (authority_pki / "cacert.pem", qemu_pki / "ca-cert.pem"),
        tls / f"{host}cert.pem": (libvirt_pki / "servercert.pem", libvirt_pki / "clientcert.pem",
                                  qemu_pki / "server-cert.pem", qemu_pki / "client-cert.pem"),
        tls / f"{host}key.pem": (libvirt_pki / "private/serverkey.pem", libvirt_pki / "private/clientkey.pem",
                                 qemu_pki / "server-key.pem", qemu_pki / "client-key.pem"),
        base / "id_ed25519": (files / "root/.ssh/id_ed25519",),
        base / "id_ed25519.pub": (files / "root/.ssh/authorized_keys",),
        base / "known_hosts": (files / "root/.ssh/known_hosts",),
    }.items():  # fmt: skip
        for target in targets:
            shutil.copy(source, target)
    (files / "root/.ssh").chmod(0o700)
    install_host_key(host_key(instance, host), files)


def install_host_key(key: Path, files: Path) -> None:
    """Make a key pair the host's SSH identity; sshd reads it when it starts."""
    target = files / "etc/ssh/ssh_host_ed25519_key"
    shutil.copy(key, target)
    shutil.copy(key.with_suffix(".pub"), target.with_suffix(".pub"))
    target.chmod(0o600)
