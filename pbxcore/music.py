"""Music classes of tenants, as rows that Asterisk looks up each time somebody is put on hold.

Owns the names of classes and their rows. Asterisk keeps none of them in a cache: a change is heard by whoever
is put on hold next. A class is named after its tenant, `acme-waiting`, and an endpoint names none but those
of its own tenant: nobody hears another's.
"""

import sqlite3
from collections.abc import Iterator

from dialplan.build import OWN_SOUNDS
from dialplan.plan import Plan
from pbxcore.settings import Settings

OF_THE_MACHINE = "default"  # class in musiconhold.conf; no tenant's class has a name without a hyphen


def class_of(tenant: str, music: str) -> str:
    """Name the class of a tenant's music, or the machine's for none."""
    return f"{tenant}-{music}" if music else OF_THE_MACHINE


def replace(db: sqlite3.Connection, settings: Settings, plan: Plan) -> None:
    """Make a tenant's classes those of its plan."""
    withdraw(db, plan.tenant)
    folder = settings.sounds.absolute() / plan.tenant
    for name, music in plan.music.items():
        key = class_of(plan.tenant, name)
        db.execute("INSERT INTO musiconhold (name, mode, sort) VALUES (?, 'playlist', ?)",
                   (key, "random" if music.random else ""))  # fmt: skip
        entries = [(key, position, str(folder / sound)) for position, sound in enumerate(music.sounds)]
        db.executemany("INSERT INTO musiconhold_entry VALUES (?, ?, ?)", entries)
    for name, sound in _repeated(plan):
        key = class_of(plan.tenant, name)
        db.execute("INSERT INTO musiconhold (name, mode, sort) VALUES (?, 'playlist', '')", (key,))
        own = str(settings.sounds.absolute() / sound.removeprefix(f"{OWN_SOUNDS}/"))
        db.execute("INSERT INTO musiconhold_entry VALUES (?, 0, ?)", (key, own))


def _repeated(plan: Plan) -> Iterator[tuple[str, str]]:
    """Give the announcements that are heard while phones ring, one for each language."""
    ringing = [one.while_ringing for one in plan.extensions.values()]
    ringing += [one.while_ringing for one in plan.groups.values()]
    for name in dict.fromkeys(one.announcement for one in ringing if one):
        announcement = plan.announcements.get(name)
        if announcement is None or announcement.translated:
            continue
        for language, sound in announcement.sounds.items():
            yield announcement.repeated(language), sound


def withdraw(db: sqlite3.Connection, tenant: str) -> None:
    """Remove a tenant's classes. A tenant's id has no hyphen, so only its own names begin like this."""
    for table in ("musiconhold", "musiconhold_entry"):
        db.execute(f"DELETE FROM {table} WHERE name > ? AND name < ?", (f"{tenant}-", f"{tenant}."))  # noqa: S608 — names of ours
