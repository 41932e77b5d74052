"""A stored document of which no plan can be made: its tenant keeps what is in force, nobody else waits."""

import json

import pytest

from pbxcore import publication

DOCUMENT = {
    "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
    "account": "acme", "extensions": {"10": {"name": "Anna", "devices": ["p10"]}},
}  # fmt: skip


@pytest.mark.parametrize(("document", "revision"), [({}, 1), (DOCUMENT, float("inf"))])
def test_what_cannot_be_built_is_left_out(document: dict[str, object], revision: float) -> None:
    """Neither what cannot be read nor a sum that leaves its range ends the publication of others."""
    row = {"id": "acme", "document": json.dumps(document), "revision": revision}
    assert publication._plan(row, ("carrier",)) is None
