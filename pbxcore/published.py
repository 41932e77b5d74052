"""Reads the published plans: what control and standby decide by.

Owns the reading side of `<state>/published`. Refuses to write there (`pbxcore.publication`) and to check:
what was published stays in force. Plans whose index says so are in force; a file that cannot be read concerns
its tenant alone, never all: the plan it has stays, and who starts takes the one before.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dialplan import carriers
from dialplan.carriers import NO_CARRIERS, Carriers
from dialplan.finding import DialplanError
from dialplan.plan import Plan
from dialplan.published import Published, plan_from_json

log = logging.getLogger(__name__)


class UnpublishedError(Exception):
    """A plan that should be there is not, or not in this revision.

    Attributes:
        code: stable word for answers.
    """

    code = "unpublished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What is in force. Numbers stand in the plans: a line a tenant is all that grows with their number.

    Attributes:
        revisions: by tenant.
        trunks: of the machine, in the order to try, as they stand in every plan.
        prepaid: tenants whose account calls on credit.
        carriers: what is known of the trunks beside their names.
        limited: tenants whose account is invoiced and has spend limits.
    """

    revisions: Mapping[str, int] = field(default_factory=dict)
    trunks: tuple[str, ...] = ()
    prepaid: frozenset[str] = frozenset()
    carriers: Carriers = NO_CARRIERS
    limited: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A plan that the index names and that cannot be used.

    Attributes:
        file: where it should be; `pbxcore.completion` writes it anew, or somebody puts it back.
        reason: why not, and what its tenant has instead.
    """

    file: Path
    reason: str


def load(folder: Path) -> Published:
    """Read every plan of the index; an empty folder gives no plans."""
    published, unread = reload(Published(), folder)
    for tenant, one in unread.items():
        log.error("the plan of %s cannot be used: %s", tenant, one.reason)
    return published


def reload(published: Published, folder: Path) -> tuple[Published, Mapping[str, Unread]]:
    """Bring plans up to the index: all that changed are swapped at once, as when a number moves.

    Returns:
        The plans in force from now on, and the tenants whose new plan cannot be used, with the reason: for
        those the old one stays, or comes from the disk, and nobody else waits for them.

    Raises:
        UnpublishedError: the index cannot be read, or is gone while plans are in force: that is an accident,
            for nobody removes it, and all of them stay.
    """
    index = read_index(folder, expected=bool(published.plans))
    published = replace(published, prepaid=index.prepaid, limited=index.limited, carriers=index.carriers)
    gone = [tenant for tenant in published.plans if tenant not in index.revisions]
    behind = {t: r for t, r in index.revisions.items() if not _is(published.plans.get(t), r, index.trunks)}
    plans, unread = _read_all(folder, behind)
    for tenant in gone:
        published = published.without(tenant)
    published = _with(published, plans, unread)
    for tenant in unread:
        published, instead = _with_former(published, folder, tenant, behind[tenant])
        unread[tenant] += f"; {instead}"
    return published, {
        tenant: Unread(file=file_of(folder, tenant, behind[tenant]), reason=reason)
        for tenant, reason in unread.items()
    }


def _with(published: Published, plans: list[Plan], unread: dict[str, str]) -> Published:
    """Put plans in force at once; note those that contradict others, which are taken while they fit."""
    try:
        return published.with_plans(plans)
    except DialplanError:
        log.exception("the published plans contradict each other; each is taken while it fits")
    for plan in plans:
        try:
            published = published.with_plan(plan)
        except DialplanError as error:
            unread[plan.tenant] = str(error)
    return published


def _with_former(published: Published, folder: Path, tenant: str, revision: int) -> tuple[Published, str]:
    """Give a tenant whose revision has no plan the one that was in force before: better than no calls.

    A number that has moved since is not taken from whoever has it.

    Returns:
        The plans, and what the tenant has.
    """
    if there := published.plans.get(tenant):
        return published, f"revision {there.revision} stays in force"
    try:
        former = former_of(folder, tenant, revision)
        published = published.with_plan(read(folder, tenant, former))
    except (UnpublishedError, DialplanError):
        return published, "its calls are refused"
    return published, f"revision {former} is in force instead"


def _is(plan: Plan | None, revision: int, trunks: tuple[str, ...]) -> bool:
    return plan is not None and (plan.revision, plan.trunks) == (revision, trunks)


def _read_all(folder: Path, wanted: Mapping[str, int]) -> tuple[list[Plan], dict[str, str]]:
    plans, unread = [], {}
    for tenant in sorted(wanted):
        try:
            plans.append(read(folder, tenant, wanted[tenant]))
        except (UnpublishedError, DialplanError) as error:
            unread[tenant] = str(error)
    return plans, unread


def read_index(folder: Path, name: str = "index.json", *, expected: bool = False) -> Index:
    """Read what is in force, or another index of the folder; empty before the first publication.

    Args:
        folder: of the published plans.
        name: of the index.
        expected: there was a publication.

    Raises:
        UnpublishedError: it is there and cannot be read, or is not there and expected.
    """
    try:
        index = json.loads((folder / name).read_text(encoding="utf-8"))
        return Index(
            revisions={str(tenant): int(revision) for tenant, revision in index["tenants"].items()},
            trunks=tuple(str(trunk) for trunk in index["trunks"]),
            prepaid=frozenset(str(tenant) for tenant in index.get("prepaid", ())),
            carriers=carriers.from_json(index.get("carriers", {})),
            limited=frozenset(str(tenant) for tenant in index.get("limited", ())),
        )
    except FileNotFoundError as error:
        if expected:
            raise UnpublishedError(f"the index of {folder} is gone; what was in force stays") from error
        return Index()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnpublishedError(f"the index of {folder} cannot be read: {error}") from error


def file_of(folder: Path, tenant: str, revision: int) -> Path:
    """Name the file of a plan: a revision's file never changes, the index says which one is in force."""
    return folder / "tenants" / _name(tenant, revision)


def _name(tenant: str, revision: int) -> str:
    return f"{tenant}.{revision}.json"


def former_of(folder: Path, tenant: str, revision: int) -> int:
    """Give the newest revision before another whose plan has a file; 0: there is none.

    Nearly always it is the first that is looked for, but of changes that were stored while nobody could
    publish only the last one gets a file. Files of all tenants share a folder, so they are asked for by name.
    """
    tenants = os.fspath(folder / "tenants")
    earlier = range(revision - 1, 0, -1)
    return next((one for one in earlier if _size(f"{tenants}/{_name(tenant, one)}")), 0)


def without_file(folder: Path, revisions: Mapping[str, int]) -> frozenset[str]:
    """Name the tenants whose plan file is missing or empty: nobody who starts could read it.

    Paths are put together as text: a thousand looks take 2 ms so, 11 by `file_of`.
    """
    tenants = os.fspath(folder / "tenants")
    return frozenset(
        tenant for tenant, revision in revisions.items() if not _size(f"{tenants}/{_name(tenant, revision)}")
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 — a Path for each costs more than the look
    except OSError:
        return 0


def read(folder: Path, tenant: str, revision: int) -> Plan:
    """Read one tenant's plan.

    Raises:
        UnpublishedError: there is none.
        DialplanError: it cannot be read.
    """
    path = file_of(folder, tenant, revision)
    try:
        return plan_from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnpublishedError(f"{path} cannot be read: {error}") from error
