"""The mailbox of a group: where it is written, and by which number it is named."""

from typing import Any

import pytest

from dialplan.checks import check_tenant
from dialplan.spec import TenantSpec
from tests.unit.dialplan.small import BASE


@pytest.mark.parametrize(
    ("box", "group", "remedy"),
    [
        ("sales", {"extension": "70"}, "add `voicemail: {}` to group sales, and write `voicemail 70`"),
        ("70", {"extension": "70"}, "add `voicemail: {}` to group sales"),
        ("sales", {"extension": "70", "voicemail": {}}, "write `voicemail 70`"),
        (
            "sales",
            {},
            "give group sales an `extension:` and `voicemail: {}`, and write `voicemail` with that number",
        ),
        (
            "sales",
            {"voicemail": {}},
            "give group sales an `extension:`, and write `voicemail` with that number",
        ),
    ],
)
def test_the_mailbox_of_a_group_is_looked_for_there(box: str, group: dict[str, Any], remedy: str) -> None:
    """A group has its mailbox under `groups`, and the mailbox its number: no extension is told to have it."""
    numbers = {"+493055500100": {"to": "extension 10"}, "+493055500101": {"to": f"voicemail {box}"}}
    sales = {"name": "Sales", "members": ["10"], "otherwise": "extension 10", **group}
    spec = TenantSpec.model_validate({**BASE, "numbers": numbers, "groups": {"sales": sales}})
    (found,) = (one for one in check_tenant(spec, trunks=("carrier",)) if one.code == "no-mailbox")
    said = "is group sales" if box == "70" else "is a group"
    assert (found.message, found.remedy) == (f"there is no mailbox {box}: {box} {said}", remedy)
