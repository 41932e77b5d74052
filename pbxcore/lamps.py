"""Lamps of extensions: the hints that Asterisk answers a SUBSCRIBE from, one context per tenant.

Owns the name and content of these contexts: a file per tenant, read when Asterisk starts or reloads, and the
manager actions that make a running Asterisk agree with it. Refuses to carry them out (`pbxcore.control`).

A hint in the file is a pattern that matches exactly the tenant's extensions and looks its phones up when
somebody subscribes; only then does Asterisk make a hint for the extension. A hint written out for each of
20,000 extensions made a start last 23 s and a reload more than a minute (ADR 0009).
"""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from dialplan.plan import Plan
from pbxcore.settings import Settings

NEVER_A_TENANT = "0.conf"  # an #include that finds nothing keeps Asterisk from reading its dialplan

Action = tuple[str, Mapping[str, str]]


def context_of(tenant: str) -> str:
    """Name a tenant's context; a bare tenant id could be a context of the constant dialplan (`forward`)."""
    return f"lamps-{tenant}"


def folder(settings: Settings) -> Path:
    """Return the folder that Asterisk's dialplan includes."""
    return settings.state.absolute() / "asterisk" / "lamps"


def prepare(settings: Settings) -> None:
    """Create the folder with the one file that is always there."""
    folder(settings).mkdir(parents=True, exist_ok=True)
    always = folder(settings) / NEVER_A_TENANT
    if not always.exists():
        always.write_text("; Contexts of tenants' lamps stand beside this file (pbxcore.lamps).\n")


def lamps_of(plan: Plan) -> Mapping[str, str]:
    """Give the hints of a plan: of each extension that has a phone, and of the patterns that find them.

    Any of its phones lights the lamp of an extension.
    """
    phones = {number: "&".join(f"PJSIP/{endpoint}" for endpoint in extension.endpoints)
              for number, extension in plan.extensions.items() if extension.endpoints}  # fmt: skip
    look_up = f"${{REALTIME_FIELD(lamps,id,{plan.tenant}/${{EXTEN}},hint)}}"
    return {**phones, **dict.fromkeys(patterns(phones), look_up)}


def patterns(numbers: Iterable[str]) -> tuple[str, ...]:
    """Give patterns of Asterisk that match these numbers and no other: `_1[025]` for 10, 12 and 15."""
    tens: dict[str, str] = {}
    for number in sorted(numbers):
        tens[number[:-1]] = tens.get(number[:-1], "") + number[-1]
    return tuple(f"_{first}[{last}]" for first, last in tens.items())


def write(settings: Settings, tenant: str, lamps: Mapping[str, str]) -> None:
    """Write the patterns into a tenant's file, whole; remove it where there is no lamp."""
    path = folder(settings) / f"{tenant}.conf"
    if not lamps:
        path.unlink(missing_ok=True)
        return
    lines = [
        f"[{context_of(tenant)}]",
        *(f"exten => {number},hint,{hint}" for number, hint in lamps.items() if number[0] == "_"),
    ]
    aside = path.with_name(f".{path.name}")  # `*.conf` does not find it
    aside.write_text("\n".join(lines) + "\n")
    aside.replace(path)


def replace(db: sqlite3.Connection, tenant: str, lamps: Mapping[str, str]) -> list[str]:
    """Note a tenant's lamps; return those that Asterisk has to be told, `<tenant>/<extension or pattern>`.

    An extension that had none is not among them: nobody watches it, and who does later is answered by the
    pattern.
    """
    known = dict(db.execute("SELECT id, hint FROM lamps WHERE tenant = ?", (tenant,)))
    wanted = {f"{tenant}/{number}": hint for number, hint in lamps.items()}
    changed = sorted(one for one in known.keys() | wanted.keys() if known.get(one) != wanted.get(one))
    db.executemany("DELETE FROM lamps WHERE id = ?", [(one,) for one in changed])
    db.executemany("INSERT INTO lamps VALUES (?, ?, ?)",
                   [(one, tenant, wanted[one]) for one in changed if one in wanted])  # fmt: skip
    return [one for one in changed if one in known or one.startswith(f"{tenant}/_")]


def action(db: sqlite3.Connection, lamp: str) -> Action:
    """Give what makes a running Asterisk's hint that of the last change; doing it twice does no harm.

    An extension's own hint is replaced or removed, too: phones that watch it are told at once. An Error
    answer to a removal says that there was none.
    """
    tenant, _, number = lamp.partition("/")
    where = {"Context": context_of(tenant), "Extension": number, "Priority": "hint"}
    found = db.execute("SELECT hint FROM lamps WHERE id = ?", (lamp,)).fetchone()
    if found is None:
        return "DialplanExtensionRemove", where
    return "DialplanExtensionAdd", {**where, "Application": found[0], "Replace": "yes"}


def message_action(mailbox: str) -> Action:
    """Give what makes Asterisk look again what is in a mailbox: its lamp is as the last message left it."""
    box, _, tenant = mailbox.partition("@")
    return "VoicemailRefresh", {"Context": tenant, "Mailbox": box}
