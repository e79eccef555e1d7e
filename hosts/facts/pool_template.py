"""Pool templates: what other rooms use of them. Pure.

A template is a pool's XML, perhaps with variables in it (hosts.facts.pool_variables). It is read as a form, written
back from one, checked before it is saved, and imported from a host.
"""

from __future__ import annotations

from hosts.facts.pool_template_rules import check_template
from hosts.facts.pool_template_shape import (
    PoolField,
    PoolForm,
    PoolType,
    PoolValue,
    TemplateProblem,
    join_host,
    split_host,
)
from hosts.facts.pool_template_table import POOL_TYPES, find_type
from hosts.facts.pool_template_xml import import_xml, read_form, render_form

__all__ = [
    "POOL_TYPES",
    "PoolField",
    "PoolForm",
    "PoolType",
    "PoolValue",
    "TemplateProblem",
    "check_template",
    "find_type",
    "import_xml",
    "join_host",
    "read_form",
    "render_form",
    "split_host",
    "summarise_source",
]


def summarise_source(form: PoolForm) -> str:
    """What is behind the pool, in a few words: "nas.example:/srv/vm (nfs 4.2)", "vg_guests on /dev/sdb"."""
    if form.type in {"dir", "mpath", "scsi"}:
        return form.target_path
    if form.type == "logical":
        return " on ".join(filter(None, (form.source_name, ", ".join(form.devices))))
    place = form.source_dir or form.target_iqn or form.source_name or ", ".join(form.devices)
    if form.type == "gluster":
        place = f"{form.source_name}{form.source_dir.rstrip('/')}"
    where = ":".join(filter(None, (", ".join(form.hosts), place)))
    known = form.source_format if form.source_format not in {"auto", "unknown"} else ""
    words = " ".join(filter(None, (known, form.protocol_version)))
    return f"{where} ({words})" if words else where
