"""Whether contracts let tenants have what their documents use, as far as that is known before it is stored.

Owns what `check` says of it, and what it cannot say: a contract that changes along with its tenants is worked
out when it is stored. Refuses to offer anything (`pbxcore.offers` does, when a change is refused).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from dialplan.spec import TenantSpec
from pbxcore import contract_log, entitling, offers
from pbxcore.beside import Note
from pbxcore.database import Connection
from pbxcore.documents import Located, Read, locate
from rating.contract.document import ContractSpec

Judged = tuple[tuple[Located, ...], tuple[Note, ...]]


async def judge(connection: Connection, documents: Sequence[Read], now: datetime) -> Judged:
    """Find what tenants would have beyond their contracts as these are stored, and what is not known of it.

    A document with gaps is judged once it is whole: a gap would look like something given up.
    """
    changing = await _changing(connection, documents)
    whole = [one for one in documents if isinstance(one.spec, TenantSpec) and not one.gaps]
    tenants = {one.id: one.spec for one in whole if isinstance(one.spec, TenantSpec)}
    unknown = {name: changing[spec.account] for name, spec in tenants.items() if spec.account in changing}
    known = {name: spec for name, spec in tenants.items() if name not in unknown}
    notes = tuple(_unknown(unknown))
    try:
        terms = await entitling.concerned(connection, known, now=now)
        offers.admit((one for one in terms if one.log.spec.contract not in changing.values()), known)
    except entitling.UndoneError as undone:
        return locate(whole[0], [undone.finding]), notes
    except offers.NotEntitledError as error:
        return offers.findings(whole, error, ()), notes
    return (), notes


async def _changing(connection: Connection, documents: Iterable[Read]) -> Mapping[str, str]:
    """Give the contracts of these documents that say more than is stored of them, by their accounts."""
    found = {}
    for one in documents:
        if isinstance(one.spec, ContractSpec) and one.spec.account:
            log = await contract_log.read(connection, one.spec.contract)
            if log is None or one.gaps or contract_log.new_events(log, one.tree.value):
                found[one.spec.account] = one.spec.contract
    return found


def _unknown(tenants: Mapping[str, str]) -> Iterable[Note]:
    for tenant, contract in tenants.items():
        message = f"whether contract {contract}, which changes too, lets tenant {tenant} have what it uses"
        yield Note(
            f"{message} is known when both are stored", "`pbxcore apply` says so, and stores nothing if not"
        )
