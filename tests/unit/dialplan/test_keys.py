"""Keys of transfers: a document names them so that they can be told apart."""

from typing import Any

import pytest
from pydantic import ValidationError

from dialplan.spec import TenantSpec

BASE: dict[str, Any] = {
    "version": 1,
    "tenant": "acme",
    "name": "Acme",
    "country": "DE",
    "time_zone": "Europe/Berlin",
    "account": "acme",
}


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({}, "no-keys"),
        ({"blind": "1"}, "no-keys"),
        ({"blind": "*"}, "no-keys"),
        ({"attended": "*12345"}, "no-keys"),
        ({"blind": "*1", "attended": "*1"}, "keys-alike"),
        ({"blind": "##", "attended": "##1"}, "keys-alike"),
    ],
)
def test_keys_of_transfers_can_be_told_apart(keys: dict[str, Any], code: str) -> None:
    """A digit alone is pressed in menus, and who presses the longer of two has pressed the shorter."""
    with pytest.raises(ValidationError) as refused:
        TenantSpec.model_validate({**BASE, "transfer_keys": keys})
    assert [error["type"] for error in refused.value.errors()] == [code]
