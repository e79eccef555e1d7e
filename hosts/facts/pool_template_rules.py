"""Whether a pool template is usable, before any host is asked: all problems at once, each with its field. Pure.

A definition whose variables were filled in is checked by the same rules: a host's own path may be as wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from hosts.facts.pool_template_places import FS_NAMESPACE, RBD_NAMESPACE
from hosts.facts.pool_template_shape import (
    MAX_TEMPLATE_CHARACTERS,
    PoolField,
    PoolForm,
    PoolType,
    PoolValue,
    TemplateProblem,
    split_host,
)
from hosts.facts.pool_template_table import NFS_FORMATS, NFS_PORT, POOL_TYPES, find_type
from hosts.facts.pool_template_values import (
    check_characters,
    check_config_secret,
    check_option_secret,
    find_rules,
    holds_password,
)
from hosts.facts.pool_template_xml import read_form
from hosts.facts.pool_variables import VARIABLES, broken_variables, fill_samples, has_variables, variables_in
from hosts.facts.xml import parse_xml

_SECRET_ATTRIBUTES: Final = frozenset({"passwd", "password", "passphrase"})

Problems = Iterator[TemplateProblem]


def check_template(xml: str) -> tuple[TemplateProblem, ...]:
    """Everything that makes a template unusable; empty when libvirt may be asked. Never raises."""
    if len(xml) > MAX_TEMPLATE_CHARACTERS:
        return (
            TemplateProblem(
                "",
                f"The template has more than {MAX_TEMPLATE_CHARACTERS} characters.",
                "A pool's definition is far shorter; see what else was pasted.",
            ),
        )
    try:
        root, form = parse_xml(xml, root="pool"), read_form(xml)
    except ValueError as error:
        remedy = "Paste what virsh pool-dumpxml writes, beginning with <pool type='…'>."
        return (TemplateProblem("", str(error), remedy),)
    found = (*_check_variables(xml), *_check_secrets(root), *_check_name(root), *_check_type(form))
    return tuple(dict.fromkeys((*found, *_check_elements(root, form))))


def _check_variables(xml: str) -> Problems:
    known = ", ".join(f"{{{{ {name} }}}}" for name in VARIABLES)
    for name in sorted(variables_in(xml) - VARIABLES.keys()):
        yield TemplateProblem("", f"There is no variable {{{{ {name} }}}}.", f"The variables are {known}.")
    for text in broken_variables(xml):
        quoted = "A mount option" if holds_password(text) else repr(text[:80])
        message = f"{quoted} has braces that open or close no variable."
        yield TemplateProblem("", message, f"Write a variable with two braces on either side: {known}.")


def _check_secrets(root: etree._Element) -> Problems:
    options = "{%s}option"
    for option in root.iter(options % FS_NAMESPACE):
        if wrong := check_option_secret(str(option.get("name") or "")):
            yield TemplateProblem("mount_options", *wrong)
    for option in root.iter(options % RBD_NAMESPACE):
        if wrong := check_config_secret(str(option.get("name") or "")):
            yield TemplateProblem("config_options", *wrong)
    for element in root.iter("*"):
        for name in sorted(_SECRET_ATTRIBUTES & {str(key).lower() for key in element.attrib}):
            yield TemplateProblem(
                "",
                f"<{etree.QName(element).localname}> has the attribute {name}; a pool's XML holds no secret.",
                "Remove it, and give the password in the template's field for it: it is kept encrypted.",
            )


def _check_name(root: etree._Element) -> Problems:
    name = root.findtext("name") or ""
    if has_variables(name):
        message = "The pool's name has a variable, and must be the same on every host."
        yield TemplateProblem("name", message, "Write one name; guests find their disks by it.")
    if name != name.strip():
        message = "The pool's name begins or ends with white space, which libvirt would keep."
        yield TemplateProblem("name", message, "Remove the white space inside <name>.")


def _check_type(form: PoolForm) -> Problems:
    kind = find_type(form.type)
    if kind is None:
        known = ", ".join(item.name for item in POOL_TYPES)
        message = f"{form.type!r} is no pool type known here." if form.type else "The pool has no type."
        yield TemplateProblem("type", message, f"Use one of {known}.")
        return
    for field in kind.fields:
        yield from _check_field(form, kind, field)
    yield from _check_login(form)
    yield from _check_netfs(form)


def _check_field(form: PoolForm, kind: PoolType, field: PoolField) -> Problems:
    items = _items(form, field)
    if not items:
        if field.required:
            message = f"A pool of type {kind.name} needs {field.label} ({field.element})."
            yield TemplateProblem(field.field, message, _with_example(field))
        return
    if field.most and len(items) > field.most:
        message = (
            f"libvirt uses exactly {field.most} {field.label.lower()} for type {kind.name}, not {len(items)}."
        )
        yield TemplateProblem(field.field, message, "Keep one of them.")
    yield from _check_choice(field, items)
    yield from _check_items(form, kind, field, items)


def _items(form: PoolForm, field: PoolField) -> tuple[str, ...]:
    value = getattr(form, field.field)
    if field.value is PoolValue.LINES:
        return tuple(value)
    return (value,) if value else ()


def _with_example(field: PoolField) -> str:
    return f"{field.help} For example {field.example}." if field.example else field.help


def _check_choice(field: PoolField, items: tuple[str, ...]) -> Problems:
    if field.field != "source_format":
        return
    for item in items:
        if item not in field.choices:
            message = f"{item!r} is no format of this pool type."
            yield TemplateProblem(field.field, message, f"Use one of {', '.join(field.choices)}.")


def _check_items(form: PoolForm, kind: PoolType, field: PoolField, items: tuple[str, ...]) -> Problems:
    for item in items:
        plain = fill_samples(item)
        for rule in (check_characters, *find_rules(kind.name, form.source_format, field.field)):
            wrong = rule(plain)
            if wrong:
                yield TemplateProblem(field.field, *wrong)
    for twice in sorted({item for item in items if items.count(item) > 1}):
        message = f"{twice!r} is there more than once."
        yield TemplateProblem(field.field, message, "Remove the others.")


def _check_login(form: PoolForm) -> Problems:
    if form.secret_usage and form.secret_uuid:
        message = "The secret is named twice: by its usage and by its UUID."
        yield TemplateProblem("secret_uuid", message, "Keep the usage: it may be the same on every host.")
    named = form.secret_usage or form.secret_uuid
    if form.auth_username and not named:
        message = f"The login of {form.auth_username!r} names no secret."
        yield TemplateProblem("secret_usage", message, "Name the libvirt secret that holds the password.")
    if named and not form.auth_username:
        message = "There is a secret, and no user name that it belongs to."
        yield TemplateProblem("auth_username", message, "Write the user name, or remove the secret.")


def _check_netfs(form: PoolForm) -> Problems:
    ports = {split_host(host)[1] for host in form.hosts} if form.type == "netfs" else set()
    if ports - {"", NFS_PORT}:
        message = "libvirt mounts a network file system without looking at the host's port."
        yield TemplateProblem(
            "hosts", message, "Remove the port; for NFS add the mount option port=… instead."
        )
    yield from _check_version(form)


def _check_version(form: PoolForm) -> Problems:
    if not form.protocol_version:
        return
    if form.source_format not in NFS_FORMATS:
        message = f"An NFS version says nothing for {form.source_format}."
        yield TemplateProblem("protocol_version", message, "Leave it empty, or choose the format nfs.")
        return
    words = [word.partition("=")[0] for option in form.mount_options for word in option.split(",")]
    if {"vers", "nfsvers"} & set(words):
        message = "The NFS version is given twice: as a field and as a mount option."
        yield TemplateProblem("protocol_version", message, "Keep the field and remove the mount option.")


def _check_elements(root: etree._Element, form: PoolForm) -> Problems:
    """What the form cannot say and libvirt's schema wants."""
    if form.type == "logical" and root.find("target") is None:
        remedy = f"Add <target><path>/dev/{form.source_name}</path></target>."
        yield TemplateProblem("", "libvirt takes no logical pool without <target>.", remedy)
    if form.type == "scsi" and root.find("source/adapter") is None:
        remedy = "Add <source><adapter type='scsi_host' name='scsi_host0'/></source> in the XML."
        yield TemplateProblem("", "A pool of type scsi needs an adapter.", remedy)
