"""A machine with Ada's prepaid account, a rater for it, and the command line as scripts use it."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pbxcore.settings import Settings, Trunk
from tests.integration.credit_calls import Running, a_rater
from tests.integration.one_credit.ada import ACCOUNT, OPENVOIP, TENANT, Command, Say
from tests.integration.test_door import CONFIG, put


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Settings:
    """A machine whose folder stays: the metrics of a rater are open for as long as the process."""
    trunks = (Trunk(name="carrier", host="127.0.0.2"),)
    return Settings(state=tmp_path, config=CONFIG, database=database, trunks=trunks)


@pytest.fixture
async def machine(settings: Settings) -> Settings:
    """A machine with a prepaid account and its tenant, and no contract yet."""
    settings.spool.mkdir(parents=True)
    assert not (await put(settings, catalogue=OPENVOIP, account=ACCOUNT, tenant=TENANT)).findings
    return settings


@pytest.fixture
def rater(machine: Settings) -> Running:
    """Give what lets a rater work."""
    return partial(a_rater, machine)


@pytest.fixture
def say(command: Command) -> Say:
    """Give the command line as scripts use it, beside a rater that works."""

    async def said(*arguments: str) -> tuple[int, dict[str, Any]]:
        code, told = await asyncio.to_thread(command, *arguments, "--json")
        return code, json.loads(told)

    return said
