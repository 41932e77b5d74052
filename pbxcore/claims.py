"""What a tenant claims: numbers, which must be nobody else's, and an account, which must be there.

Owns the findings about both. Refuses to look for others: who asks knows who holds what.
"""

from collections.abc import Mapping

from dialplan.block import numbers_of
from dialplan.finding import Finding
from dialplan.spec import TenantSpec


def numbers(spec: TenantSpec) -> list[str]:
    """Every number that leads to the tenant: its own and those they stand for."""
    written = numbers_of(spec)
    own = (one.number.stands_for for one in written.values() if one.number.stands_for)
    return sorted({*written, *own})


def taken(spec: TenantSpec, holder: Mapping[str, str]) -> list[Finding]:
    """Find numbers that another tenant has, by who holds each."""
    return [
        Finding(
            path=("numbers", one.key) if claimed == number else ("numbers", one.key, "stands_for"),
            code="number-taken",
            message=f"{claimed} belongs to tenant {holder[claimed]}",
            remedy="leave it there; to move it, change both documents in one go",
        )
        for number, one in numbers_of(spec).items()
        for claimed in (number, one.number.stands_for or "")
        if claimed in holder
    ]


def unknown_account(name: str) -> Finding:
    """Say that nobody pays for a tenant."""
    return Finding(
        path=("account",),
        code="unknown-account",
        message=f"there is no account {name!r}",
        remedy="apply the account's document first, or in the same go",
    )
