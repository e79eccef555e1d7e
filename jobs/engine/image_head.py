"""What the first bytes of an image say of where its contents are. Pure.

Source: QEMU, docs/interop/qcow2.rst (header, incompatible features) and block/vmdk.c (descriptor files).
"""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 512
_QCOW2: Final = b"QFI\xfb"
_EXTERNAL_DATA: Final = 1 << 2  # incompatible feature "external data file"
_DESCRIPTOR: Final = b"# Disk DescriptorFile"  # a VMDK that is a text naming other files


def keeps_data_elsewhere(head: bytes) -> bool:
    """Whether the image is only the description of data that lies in another file."""
    if head.startswith(_QCOW2):
        version, features = int.from_bytes(head[4:8], "big"), int.from_bytes(head[72:80], "big")
        return version >= 3 and bool(features & _EXTERNAL_DATA)
    return head.startswith(_DESCRIPTOR)
