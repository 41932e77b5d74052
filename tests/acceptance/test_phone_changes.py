"""A change of a tenant's phones reaches a running Asterisk whose cache is warm."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from pbxcore import phones
from pbxcore.practice import sipp
from pbxcore.registrations import registered
from pbxcore.status import status

if TYPE_CHECKING:
    from tests.acceptance.conftest import Pbx


async def test_a_new_password_is_in_force_at_once(pbx: Pbx) -> None:
    """After the acknowledgement the old password is refused, the new one and a new phone register."""
    bruno = pbx.phone("p11")
    await bruno.register()  # now the cache is warm
    changed = copy.deepcopy(pbx.tenant)
    changed["extensions"]["11"]["devices"] = [
        {"device": "p11", "password": "a-new-password"},
        {"device": "p14"},
    ]
    with pbx.in_force(changed):
        assert phones.to_expire(pbx.settings) == ()
        with pytest.raises(sipp.SippError):
            await bruno.register()
        await pbx.phone("p11", password="a-new-password").register()
        await pbx.phone("p14").register()
    with pytest.raises(sipp.SippError):
        await pbx.phone("p14").register()


async def test_registrations_are_counted(pbx: Pbx) -> None:
    """A phone that registers is one more, in `status` and in the metrics' source."""
    await pbx.phone("p12").register()
    pbx.until(lambda: (registered(pbx.settings) or 0) >= 1)
    found = await status(pbx.settings)
    assert found.asterisk.alive
    assert found.asterisk.registered == registered(pbx.settings)
    assert (found.asterisk.published, found.asterisk.unexpired) == (phones.counts(pbx.settings).published, 0)
    assert {one.name: one.alive for one in found.processes}["control"]
    assert [(one.name, one.detail == "Asterisk does not know it") for one in found.trunks] == [
        ("carrier", False),
        ("backup", False),
    ]
