"""What a change must not take back in passing: facts learnt since, and how an account that has calls pays.

Owns these refusals at the door. Refuses to judge what a document says otherwise.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dialplan.finding import Finding
from dialplan.spec import TenantSpec
from pbxcore.database import Connection
from pbxcore.database.queries import named
from pbxcore.payers import unread_payers
from rating.account import AccountSpec
from rating.periods import day_start_us
from rating.stays import rewritten, stay_on

SQL = named(Path(__file__).with_name("lasting.sql"))


async def limits_unread(
    connection: Connection, spec: AccountSpec, unread: Collection[str]
) -> tuple[Finding, ...]:
    """Find new limits of an account in tenants that cannot be read."""
    stored = await connection.fetchval(SQL["newest"], "account", spec.account) if unread else None
    before = AccountSpec.model_validate_json(stored) if stored else None
    return tuple(unread_payers(spec, before, unread))


async def portings_forgotten(connection: Connection, spec: TenantSpec) -> tuple[Finding, ...]:
    """Find numbers whose confirmed porting a document does not know that names no base.

    Such a document was written before the porting was confirmed, by a call perhaps: to put it in force would
    show and call back numbers as if the customer's own were still elsewhere.
    """
    stored = await connection.fetchval(SQL["newest"], "tenant", spec.tenant)
    return tuple(_forgotten(json.loads(stored), spec)) if stored else ()


def _forgotten(stored: Mapping[str, Any], spec: TenantSpec) -> Iterator[Finding]:
    for number, entry in stored.get("numbers", {}).items():
        confirmed = (entry.get("porting") or {}).get("confirmed")
        one = spec.numbers.get(number)
        if confirmed and one and not (one.porting and one.porting.confirmed):
            yield Finding(
                path=("numbers", number),
                code="porting-forgotten",
                message=f"the porting of {entry.get('stands_for')} was confirmed on {confirmed}; "
                "this document does not know it",
                remedy=f"export it anew: `pbxcore export {spec.tenant}`; if the porting was none: "
                f"`pbxcore porting revert {number}`",
            )


async def payment_changed(connection: Connection, spec: AccountSpec) -> tuple[Finding, ...]:
    """Find that an account with rated legs would pay in another way.

    What its calls cost was taken from its credit, or will be invoiced: the other way would charge them twice,
    or never (`rating/LAWS.md`).
    """
    stored = await connection.fetchval(SQL["newest"], "account", spec.account)
    before = AccountSpec.model_validate_json(stored).payment if stored else spec.payment
    if before == spec.payment or not await connection.fetchval(SQL["has_legs"], spec.account):
        return ()
    told = Finding(
        path=("payment",),
        code="payment-fixed",
        message=f"account {spec.account} has rated calls and is {before}",
        remedy="open another account that pays the other way, and name it in the tenant's document",
    )
    return (told,)


async def catalogue_changed(connection: Connection, spec: AccountSpec) -> tuple[Finding, ...]:
    """Find that open legs stand under another catalogue than a document says of their days from now on.

    They would be priced anew with the close of their month, without anybody having said so: a move has a day.
    """
    stored = await connection.fetchval(SQL["newest"], "account", spec.account)
    before = AccountSpec.model_validate_json(stored).stays if stored else spec.stays
    since = rewritten(before, spec.stays)
    if since is None or not await connection.fetchval(SQL["stand_otherwise"], spec.account, *_days(spec)):
        return ()
    was, would = stay_on(before, since).catalogue, stay_on(spec.stays, since).catalogue
    told = Finding(
        path=("moves",) if spec.moves and was == spec.catalogue else ("catalogue",),
        code="catalogue-undated",
        message=f"account {spec.account} has calls of months that are not closed, rated under {was}, which "
        f"{would} would price anew",
        remedy=f"say {was} for their days as before, and write the first day of {would}: "
        f"`moves: [{{catalogue: {would}, from: 2026-12-24}}]`",
    )
    return (told,)


def _days(spec: AccountSpec) -> tuple[list[str], list[int]]:
    """Give the catalogues of an account, and the instants from which on it is charged by them."""
    zone = ZoneInfo(spec.time_zone)
    firsts = [max(day_start_us(one.first, zone), 0) if one.first > date.min else 0 for one in spec.stays]
    return [one.catalogue for one in spec.stays], firsts
