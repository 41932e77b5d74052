"""Whom an account's document limits must be somebody: an extension of a tenant that it pays for.

Owns this check, which needs documents of two kinds. Refuses to look for tenants: who asks knows them.
"""

from collections.abc import Collection, Iterator, Mapping

from dialplan.finding import Finding
from dialplan.spec import TenantSpec
from rating.account import AccountSpec
from rating.credit import reached
from rating.limits import WHOLE


def limits_of(spec: AccountSpec, payer: str) -> tuple[str, ...]:
    """Give the limits that a call of somebody may reach, in the words of a refusal."""
    by_who = spec.spend_limits.by_who() if spec.spend_limits is not None else {}
    return tuple(reached(limit).value for who in (WHOLE, payer) for limit in by_who.get(who, ()))


def limited_tenants(spec: AccountSpec) -> frozenset[str]:
    """Return the tenants of which an account's document names extensions."""
    return frozenset(_tenant(payer) for payer in _limited(spec))


def unknown_payers(spec: AccountSpec, tenants: Mapping[str, TenantSpec]) -> Iterator[Finding]:
    """Find limits of somebody who never pays by this account.

    Args:
        spec: the account.
        tenants: those to look at; of others nothing is said.
    """
    for payer in _limited(spec):
        tenant = tenants.get(_tenant(payer))
        if tenant is None:
            continue
        path, name = ("spend_limits", "extensions", payer), payer.partition("/")[2]
        if tenant.account != spec.account:
            yield Finding(
                path=path,
                code="pays-elsewhere",
                message=f"tenant {tenant.tenant} is paid by account {tenant.account}",
                remedy="write the limit in that account's document",
            )
        elif name not in _payers(tenant):
            yield Finding(
                path=path,
                code="unknown-extension",
                message=f"tenant {tenant.tenant} has no extension {name}",
                remedy="it has " + (", ".join(sorted(tenant.extensions)) or "none"),
            )


def absent_tenants(spec: AccountSpec, tenants: Collection[str]) -> Iterator[Finding]:
    """Find limits of extensions whose tenant is not there at all."""
    for payer in _limited(spec):
        if _tenant(payer) not in tenants:
            yield Finding(
                path=("spend_limits", "extensions", payer),
                code="unknown-tenant",
                message=f"there is no tenant {_tenant(payer)}",
                remedy="apply its document in the same go, or correct the name: <tenant>/<extension>",
            )


def unread_payers(
    spec: AccountSpec, before: AccountSpec | None, unread: Collection[str]
) -> Iterator[Finding]:
    """Find new limits in tenants that cannot be read, so that nobody can tell whether it is somebody's.

    Args:
        spec: the account.
        before: as it is in force; what it limits already was judged then.
        unread: tenants of which there is a document, and this version of the program cannot read it.
    """
    known = _limited(before) if before is not None else ()
    for payer in _limited(spec):
        tenant = _tenant(payer)
        if tenant in unread and payer not in known:
            yield Finding(
                path=("spend_limits", "extensions", payer),
                code="unread-tenant",
                message=f"this version of the program cannot read the stored document of tenant {tenant}",
                remedy=f"apply a document of {tenant} that `pbxcore check` finds right",
            )


def _limited(spec: AccountSpec) -> tuple[str, ...]:
    return tuple(spec.spend_limits.extensions) if spec.spend_limits is not None else ()


def _tenant(payer: str) -> str:
    return payer.partition("/")[0]


def _payers(spec: TenantSpec) -> frozenset[str]:
    """Everything that may own a leg: groups, hours, announcements and numbers forward, too."""
    groups = {one.extension or name for name, one in spec.groups.items()}
    return frozenset({*spec.extensions, *groups, *spec.hours, *spec.announcements, *spec.numbers})
