"""How many phones are registered, by the file in which Asterisk keeps its contacts (`sorcery.conf`).

Owns reading it. Refuses to lock it: a reader's lock would make Asterisk's own writing fail for that moment.
So the number is that of a moment ago, and now and then none can be given.
"""

import sqlite3
import time

from pbxcore.settings import Settings


def registered(settings: Settings) -> int | None:
    """Count the phones that are registered now, by what Asterisk has written down; None: not to be read."""
    path = settings.state.absolute() / "asterisk" / "db" / "astdb.sqlite3"
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            row = db.execute(
                "SELECT count(*) FROM astdb "
                "WHERE key >= '/registrar/contact/' AND key < '/registrar/contact0' "
                "AND CASE WHEN json_valid(value) "
                "THEN CAST(json_extract(value, '$.expiration_time') AS INTEGER) ELSE 0 END > ?",
                (int(time.time()),),
            ).fetchone()
        finally:
            db.close()
    except sqlite3.Error:
        return None
    return int(row[0])
