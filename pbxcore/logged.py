"""A line of the decision log as it is read back.

Owns telling a whole line from one that is none. Refuses to know where the lines stand and what they are read
for.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def entry(line: str) -> Mapping[str, Any] | None:
    """Read a line; None where a full disk, or our own beginning in its midst, cut it.

    Of what is given, `time` is an instant and `facts` is a mapping.
    """
    try:
        found = json.loads(line)
        datetime.fromisoformat(found["time"])
        return dict(found) if isinstance(found["facts"], dict) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
