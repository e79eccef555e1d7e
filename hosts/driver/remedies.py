"""What to do about a failed step, as commands that can be copied."""

from __future__ import annotations

from hosts.errors import ConnectStep
from hosts.facts.address import ConnectionAddress

# (step, transport) → commands; "" stands for any transport. {target} is user@host.
_REMEDIES: dict[tuple[ConnectStep, str], str] = {
    (
        ConnectStep.NAME,
        "",
    ): "getent ahosts {host}   Then correct DNS, /etc/hosts of the console, or the address.",
    (ConnectStep.LOGIN, "ssh"): (
        "Put the console's public key on the host: ssh-copy-id -p {port} -i KEY.pub {target}   "
        "Then check: ssh -p {port} -i KEY {target} true"
    ),
    (ConnectStep.LOGIN, "tcp"): (
        "Set the password on the host: saslpasswd2 -a libvirt USER   Then store the same one here."
    ),
    (ConnectStep.LOGIN, "tls"): (
        "Set the password on the host: saslpasswd2 -a libvirt USER   Then store the same one here."
    ),
    (ConnectStep.CERTIFICATE, ""): (
        "Compare: openssl s_client -connect {host}:{port} -showcerts   "
        "The host's certificate is /etc/pki/libvirt/servercert.pem, its CA /etc/pki/CA/cacert.pem."
    ),
    (
        ConnectStep.DAEMON,
        "ssh",
    ): "On the host: systemctl enable --now libvirtd.socket && systemctl status libvirtd",
    (ConnectStep.DAEMON, "tcp"): (
        "On the host: systemctl status libvirtd libvirtd-tcp.socket && journalctl -u libvirtd -n 50"
    ),
    (ConnectStep.DAEMON, "tls"): (
        "On the host: systemctl status libvirtd libvirtd-tls.socket && journalctl -u libvirtd -n 50"
    ),
    (ConnectStep.DAEMON, "unix"): "systemctl enable --now libvirtd.socket && systemctl status libvirtd",
    (ConnectStep.PERMISSION, "ssh"): "On the host: usermod -aG libvirt {user}   Then connect again.",
    (
        ConnectStep.PERMISSION,
        "unix",
    ): "usermod -aG libvirt ACCOUNT   Then start the console's processes again.",
}


def exact_remedy(step: ConnectStep, address: ConnectionAddress | None) -> str:
    """Commands for this step and address, "" where the error's own words have to do."""
    if address is None:
        return ""
    transport = "ssh" if address.uses_ssh else address.effective_transport
    text = _REMEDIES.get((step, transport)) or _REMEDIES.get((step, "")) or ""
    user = address.user or "USER"
    return text.format(
        host=address.host, port=address.effective_port or "", user=user, target=f"{user}@{address.host}"
    )
