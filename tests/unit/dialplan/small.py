"""The smallest sound tenant that tests of checks change: two extensions, a mailbox and a number."""

from typing import Any

BASE: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "account": "acme",
    "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {
        "10": {"name": "A", "devices": ["p10"], "voicemail": {}},
        "11": {"name": "B", "devices": ["p11"]},
    },
}
