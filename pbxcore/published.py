"""Reads the published plans: what control and standby decide by.

Owns the reading side of `<state>/published`. Refuses to write there (`pbxcore.publication`) and to check:
what was published stays in force. Plans whose index says so are in force; a file that cannot be read leaves
out its tenant alone, never all.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

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


def load(folder: Path) -> Published:
    """Read every plan of the index; an empty folder gives no plans."""
    published = Published()
    plans = []
    for tenant in sorted(revisions(folder)):
        try:
            plans.append(read(folder, tenant))
        except (UnpublishedError, DialplanError):
            log.exception("the plan of %s cannot be read; its calls are refused", tenant)
    try:
        return published.with_plans(plans)
    except DialplanError:
        log.exception("the published plans contradict each other; each is taken while it fits")
    for plan in plans:
        try:
            published = published.with_plan(plan)
        except DialplanError:
            log.exception("the plan of %s does not fit", plan.tenant)
    return published


def revisions(folder: Path) -> Mapping[str, int]:
    """Return the revision in force of each tenant, as the index says."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        return {str(tenant): int(revision) for tenant, revision in index["tenants"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnpublishedError(f"the index of {folder} cannot be read: {error}") from error


def read(folder: Path, tenant: str) -> Plan:
    """Read one tenant's plan.

    Raises:
        UnpublishedError: there is none.
        DialplanError: it cannot be read.
    """
    path = folder / "tenants" / f"{tenant}.json"
    try:
        return plan_from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnpublishedError(f"{path} cannot be read: {error}") from error


def reload(published: Published, folder: Path, tenant: str, revision: int) -> Published:
    """Return the plans with one tenant's new revision; with none if it was withdrawn (revision 0).

    Raises:
        UnpublishedError: the file holds another revision than the one announced.
        DialplanError: it cannot be read, or takes a number of another tenant.
    """
    if revision == 0:
        return published.without(tenant)
    plan = read(folder, tenant)
    if plan.revision < revision:
        raise UnpublishedError(f"{tenant} is published in revision {plan.revision}, not {revision}")
    return published.with_plan(plan)
