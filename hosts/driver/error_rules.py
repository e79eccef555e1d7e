"""What libvirt's errors mean: codes and telling texts in one table each for operations and for connecting.

Codes are libvirt's virErrorNumber by name; texts were seen with libvirt 9.0 in the C locale. The daemon's
language is not ours to choose: a text that does not match falls back to its code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import libvirt

from hosts.errors import (
    ConnectStep,
    GuestNotFound,
    HostError,
    HostKeyUnknown,
    HostUnreachable,
    OperationAborted,
    OperationFailed,
    Refused,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """First matching rule wins. `meaning` and `remedy` may use {host} and {doing}."""

    error: type[HostError]
    meaning: str
    remedy: str = ""
    codes: tuple[str, ...] = ()  # names without VIR_ERR_; () = any
    text: str = ""  # regular expression searched in libvirt's text, any case; "" = any
    step: ConnectStep | None = None
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.text, re.IGNORECASE))

    def matches(self, code: int | None, text: str) -> bool:
        known = {getattr(libvirt, f"VIR_ERR_{name}", None) for name in self.codes}
        return (not self.codes or code in known) and bool(self.pattern.search(text))


OPERATION_RULES: tuple[Rule, ...] = (
    Rule(GuestNotFound, "{host} has no such guest any more.", "Read the host again.", codes=("NO_DOMAIN",)),
    Rule(
        OperationAborted,
        "The operation was cancelled.",
        codes=("OPERATION_ABORTED",),
    ),
    Rule(
        OperationFailed,
        "The source could not reach the destination's libvirt or migration port.",
        "Open 22/16509/16514 and 49152-49215 from the source to the destination, then try again.",
        codes=("SYSTEM_ERROR",),
        text=r"unable to connect to server at|no route to host|connection timed out",
    ),
    Rule(
        OperationFailed,
        "The source's own login at the destination failed (peer-to-peer uses the source's root account).",
        "On the source, as root, this must work: virsh -c ADDRESS-OF-THE-DESTINATION uri",
        text=r"host key verification|permission denied \(|authentication failed",
    ),
    Rule(
        OperationFailed,
        "A file or device of the guest is missing on the destination.",
        "Make the storage available there at the same path, or copy the disks.",
        codes=("SYSTEM_ERROR",),
        text=r"unable to stat|cannot access storage file|no such file",
    ),
    Rule(
        OperationFailed,
        "A bridge or interface of the guest is missing on the destination.",
        "Create it there, or choose another network for the guest.",
        codes=("SYSTEM_ERROR",),
        text=r"cannot get interface",
    ),
    Rule(
        OperationFailed,
        "The QEMU process of the guest ended by itself on one of the hosts while the guest was moved.",
        "On both hosts see the end of /var/log/libvirt/qemu/GUEST.log, and whether the kernel ended it:"
        " journalctl -k | grep -i oom",
        text=r"unexpectedly closed the monitor|unexpectedly quit",
    ),
    Rule(
        OperationFailed,
        "The guest stopped while it was moved.",
        "See why in /var/log/libvirt/qemu/GUEST.log on the source, then start it there.",
        codes=("OPERATION_FAILED",),
        text=r"domain is not running|guest unexpectedly",
    ),
    Rule(
        OperationFailed,
        "A disk at the destination has another size than at the source.",
        "Remove or rename what lies there, so that it can be created anew.",
        text=r"different sizes",
    ),
    Rule(
        OperationFailed,
        "The storage at the destination is full.",
        "Make room in the pool there, or choose another pool or host.",
        text=r"no space left",
    ),
    Rule(
        OperationFailed,
        "The destination has not enough memory free for the guest.",
        "Stop or shrink a guest there, or choose another host.",
        text=r"cannot allocate memory|cannot set up guest memory|unable to map backing store",
    ),
    Rule(
        OperationFailed,
        "The display of the guest listens on an address that the destination does not have.",
        "Let it listen on 0.0.0.0, or give a listen address for the move.",
        text=r"cannot assign requested address",
    ),
    Rule(
        OperationFailed,
        "The stream of data between the two QEMU processes broke.",
        "Check the network between the hosts and the end of /var/log/libvirt/qemu/GUEST.log on both.",
        codes=("OPERATION_FAILED", "INTERNAL_ERROR"),
        text=r"migration out' failed|unable to (write to|read from) socket|channel error",
    ),
    Rule(
        Refused,
        "The destination already has a guest of this name or UUID.",
        "Rename the guest for the move, or remove the other definition.",
        codes=("OPERATION_FAILED",),
        text=r"already exists with uuid|already defined with uuid",
    ),
    Rule(
        Refused,
        "{host} is the same machine as the other host, libvirt says.",
        "Give each host its own host_uuid in libvirtd.conf.",
        codes=("INVALID_ARG", "INTERNAL_ERROR"),
        text=r"migrate guest to the same host",
    ),
    Rule(
        Refused,
        "Another job is already running for this guest.",
        "Wait until it ends, or cancel it.",
        codes=("OPERATION_INVALID",),
        text=r"another .* job is|job is already",
    ),
    Rule(
        Refused,
        "The guest cannot be moved as it is.",
        "Remove what the text names, or choose another kind of move.",
        codes=("OPERATION_INVALID",),
        text=r"cannot migrate domain|snapshots",
    ),
    Rule(
        Refused,
        "A guest with this UUID already runs on {host}.",
        "Two running copies destroy each other's disks: find out which one is right before anything else.",
        codes=("OPERATION_INVALID",),
        text=r"already active",
    ),
    Rule(
        Refused,
        "The guest is not in a state that allows this.",
        "Read the guest again.",
        ("OPERATION_INVALID",),
    ),
    Rule(
        Refused,
        "{host} is busy with this guest: libvirt gave up waiting after 30 s.",
        "Wait for the job that holds it; a stuck data connection to the destination has the same effect.",
        codes=("OPERATION_TIMEOUT",),
    ),
    Rule(
        Refused,
        "libvirt holds this move for unsafe: the disks are not on storage both hosts share.",
        "Copy the disks with the move, or put them on shared storage with cache none.",
        codes=("MIGRATE_UNSAFE",),
    ),
    Rule(
        Refused,
        "The destination's processor cannot run this guest.",
        "Choose another destination, or give the guest a CPU model both hosts have.",
        codes=("CPU_INCOMPATIBLE",),
    ),
    Rule(Refused, "A network of the guest is missing there.", "Create or start it.", ("NO_NETWORK",)),
    Rule(
        Refused,
        "No storage pool there has this path.",
        "Create the pool on the destination, from the source's template.",
        codes=("NO_STORAGE_POOL", "NO_STORAGE_VOL"),
    ),
    Rule(
        Refused,
        "{host} does not know or offer this.",
        "Choose other options, or update libvirt there.",
        codes=("OPERATION_UNSUPPORTED", "ARGUMENT_UNSUPPORTED", "NO_SUPPORT", "CONFIG_UNSUPPORTED"),
    ),
    Rule(
        Refused,
        "{host} does not allow this to our account.",
        "Give the account the right to manage guests: usermod -aG libvirt USER",
        codes=("OPERATION_DENIED", "ACCESS_DENIED", "AUTH_FAILED", "AUTH_UNAVAILABLE", "AUTH_CANCELLED"),
    ),
    Rule(
        Refused,
        "libvirt does not accept what it was given.",
        "Check the names, addresses and the description of the guest.",
        codes=("INVALID_ARG", "XML_ERROR", "XML_DETAIL", "XML_INVALID_SCHEMA"),
    ),
)

CONNECT_RULES: tuple[Rule, ...] = (
    Rule(
        HostUnreachable,
        "The console cannot start the program that connects to {host}.",
        "Install openssh-client on the console, and let programs run in its temporary directory"
        " (not mounted noexec; see: mount | grep /tmp).",
        text=r"cannot execute binary",
        step=ConnectStep.ADDRESS,
    ),
    Rule(
        HostUnreachable,
        "The name of {host} does not resolve.",
        "Check its spelling, DNS or /etc/hosts of the console.",
        text=r"could not resolve hostname|unable to resolve|name or service not known|no address associated",
        step=ConnectStep.NAME,
    ),
    Rule(
        HostKeyUnknown,
        "The SSH host key of {host} is not one that was accepted.",
        "Compare the fingerprint with the host's own, then accept it. On the host:"
        " ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        text=r"host key verification|identification has changed|host key.*(mismatch|unknown|not known)"
        r"|no matching host key|ssh host key|accept host key|hostkey",
        step=ConnectStep.HOST_KEY,
    ),
    Rule(
        HostUnreachable,
        "The certificate of {host} cannot be trusted.",
        "Compare the CA stored for the host with the one that signed its certificate.",
        text=r"certificate|tls handshake|tls confirmation|tls channel|x509|tls session",
        step=ConnectStep.CERTIFICATE,
    ),
    Rule(
        HostUnreachable,
        "Connected to {host}, but the account may not manage guests.",
        "On the host: usermod -aG libvirt USER, then connect again.",
        text=r"polkit|(libvirt|virtqemud|virtproxyd)-sock[^:]*: permission denied|read only",
        step=ConnectStep.PERMISSION,
    ),
    Rule(
        HostUnreachable,
        "The private key stored for {host} cannot be used: its format is unknown, or it has a passphrase.",
        "Store a key without a passphrase: ssh-keygen -t ed25519 -N '' -f KEY",
        text=r"load key|error in libcrypto|invalid format|unable to extract public key|wrong passphrase",
        step=ConnectStep.LOGIN,
    ),
    Rule(
        HostUnreachable,
        "{host} refused the login.",
        "Check user, key or password. For a key: ssh-copy-id -i KEY.pub USER@HOST",
        text=r"permission denied|authentication failed|sasl|no ssh authentication|auth.*(refused|failed)"
        r"|publickey|too many authentication",
        step=ConnectStep.LOGIN,
    ),
    Rule(
        HostUnreachable,
        "Logged in to {host}, but no libvirt daemon answers there.",
        "On the host: systemctl enable --now libvirtd.socket (or virtqemud.socket)",
        text=r"failed to connect socket|virt-ssh-helper|nc: |netcat|command not found|no such file"
        r"|remote command terminated",
        step=ConnectStep.DAEMON,
    ),
    Rule(
        HostUnreachable,
        "Nothing answers on the port of {host}.",
        "Check that the host is up, that the service listens, and the firewall between console and host.",
        text=r"connection refused|no route to host|timed out|network is unreachable|unable to connect to",
        step=ConnectStep.PORT,
    ),
    Rule(
        HostUnreachable,
        "{host} closed the connection while libvirt was being asked.",
        "Look at the daemon's log on the host: journalctl -u libvirtd -n 50",
        step=ConnectStep.DAEMON,
    ),
)
