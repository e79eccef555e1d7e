"""The `virsh migrate` command that asks for the same move. Correct to the letter: people copy it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from jobs.engine.order import list_told
from jobs.engine.volumes import PlannedVolume
from jobs.options import Kind, MoveOptions, Option, Storage, Value

# The dialog shows where the XML would have to be saved first; see virsh_notes.
XML_FILES: Final = {"destination_xml": "destination.xml", "persistent_xml": "persistent.xml"}


def render_virsh_line(
    guest_name: str, source_uri: str, destination_uri: str, options: MoveOptions, *, changed: bool = False
) -> str:
    """The line as a POSIX shell takes it. `changed`: the product changes the definition, as a file must say here.

    `destination_uri` is the destination as its coordinator sees it: the source host in a peer-to-peer or
    tunnelled move (so the peer address), otherwise the machine where the line is run.
    """
    words = render_virsh_arguments(guest_name, source_uri, destination_uri, options)
    if changed and not options.destination_xml:
        words += ["--xml", XML_FILES["destination_xml"]]
        words += ["--persistent-xml", XML_FILES["persistent_xml"]] if options.persistent else []
    return shlex.join(words)


def render_virsh_arguments(
    guest_name: str, source_uri: str, destination_uri: str, options: MoveOptions
) -> list[str]:
    """The same as a list, for starting virsh without a shell."""
    command = ["virsh", "-c", source_uri, "migrate"]
    command += _render_positional("--domain", guest_name) + _render_positional("--desturi", destination_uri)
    for option in list_told(options):
        command += _render_option(option, getattr(options, option.field), options)
    return command


def render_volume_line(destination_uri: str, volume: PlannedVolume) -> str:
    """Makes one volume at the destination, as the product does before it asks libvirt. Bytes need no unit."""
    words = ["virsh", "-c", destination_uri, "vol-create-as"]
    words += [f"--pool={volume.pool}", f"--name={volume.name}", "--capacity", str(volume.capacity_bytes)]
    if volume.format:
        words += ["--allocation", "0", "--format", volume.format]
    if volume.backing_path:
        words += [f"--backing-vol={volume.backing_path}", "--backing-vol-format", volume.backing_format]
    return shlex.join(words)


def render_carrying_lines(source_uri: str, destination_uri: str, volume: PlannedVolume) -> tuple[str, str]:
    """Makes a file at the destination and fills it with the source's: whole images, whatever format is in them.

    -q, because virsh would end the contents with a line feed of its own; --sparse cannot write into a pipe.
    """
    here, there = ["virsh", "-q", "-c", source_uri], ["virsh", "-q", "-c", destination_uri]
    made = [*there, "vol-create-as", f"--pool={volume.pool}", f"--name={volume.name}", "0", "--format", "raw"]
    read = [*here, "vol-download", volume.source_path, "/dev/stdout"]
    write = [*there, "vol-upload", f"--pool={volume.pool}", f"--vol={volume.name}", "/dev/stdin"]
    return shlex.join(made), f"{shlex.join(read)} | {shlex.join(write)}"


def virsh_notes(options: MoveOptions, line: str) -> tuple[str, ...]:
    """What must be known beside the line: where it differs from what this product does."""
    return tuple(_list_notes(options, line))


def _list_notes(options: MoveOptions, line: str) -> Iterator[str]:
    # Asked of the line: a definition is changed by a map of disks as well as by hand.
    if files := [file for file in XML_FILES.values() if file in line.split()]:
        yield f"Save the changed definition as {' and '.join(files)} first."
    if options.timeout_s is not None or options.postcopy_after_precopy:
        yield "virsh must stay running: it is virsh itself that acts after the time or the first pass."
    if options.kind is Kind.OFFLINE and options.storage is not Storage.SHARED:
        yield "This product also keeps holes, compares what it has copied, and brings UEFI variables along."
    if options.undefine_source:
        yield "virsh removes the source's definition at once, this product after it has seen the guest there."


def _render_positional(name: str, value: str) -> list[str]:
    """virsh reads a word that begins with "-" as an option unless it is joined to its own."""
    return [f"{name}={value}"] if value.startswith("-") else [value]


def _render_option(option: Option, value: object, options: MoveOptions) -> list[str]:
    if option.value is Value.CHOICE:
        return _render_choice(option, value, options)
    if not option.virsh:  # virsh has no word for it
        return []
    if option.value is Value.SWITCH:
        return [option.virsh] if value else []
    is_xml = option.field in XML_FILES
    text = _xml_file(option.field, options) if is_xml else _render_value(value)
    if not text:
        return []
    return [f"{option.virsh}={text}"] if text.startswith("-") else [option.virsh, text]


def _xml_file(field: str, options: MoveOptions) -> str:
    """The file that stands for an XML option, "" when it is not given.

    libvirt before 10.0 keeps the old persistent definition unless it is given too: both go together.
    """
    if field == "persistent_xml" and options.persistent and not options.persistent_xml:
        return _xml_file("destination_xml", options)
    return XML_FILES[field] if getattr(options, field) else ""


def _render_value(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "" if value is None else str(value)


def _render_choice(option: Option, value: object, options: MoveOptions) -> list[str]:
    if option.field == "timeout_action" and options.timeout_s is None:
        return []
    return [word for choice in option.choices if choice.value == value for word in choice.virsh]
