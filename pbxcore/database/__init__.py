"""PostgreSQL: how to reach it, how patient to be with it, and its schema.

Owns connections and migrations (one tree for all tables). Refuses queries: they stand with their subjects.
"""

from pbxcore.database.connection import AWAY, UNLIKE, Connection, connect, pool, url_of, why_away
from pbxcore.database.migration import NewerSchemaError, migrate

__all__ = [
    "AWAY",
    "UNLIKE",
    "Connection",
    "NewerSchemaError",
    "connect",
    "migrate",
    "pool",
    "url_of",
    "why_away",
]
