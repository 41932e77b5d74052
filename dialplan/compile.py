"""From a document to a plan, or to everything that is wrong with it.

Owns the verdict: a plan that comes out of here cannot get a call lost, however it is called.
"""

from collections.abc import Iterator, Mapping

from dialplan.block import numbers_of
from dialplan.build import build_plan
from dialplan.checks import check_tenant
from dialplan.finding import Finding, Path
from dialplan.plan import Plan
from dialplan.spec import TenantSpec


def compile_tenant(
    spec: TenantSpec, *, revision: int, trunks: tuple[str, ...]
) -> tuple[Plan | None, tuple[Finding, ...]]:
    """Check a document and build its plan.

    Args:
        spec: the document.
        revision: number of the revision; stands in the version of every decision.
        trunks: names of the machine's trunks, in the order to try.

    Returns:
        The plan and no finding, or no plan and all findings.
    """
    findings = check_tenant(spec, trunks=trunks)
    if findings:
        return None, findings
    return build_plan(spec, revision=revision, trunks=trunks), ()


def check_together(specs: Mapping[str, TenantSpec]) -> Mapping[str, tuple[Finding, ...]]:
    """Check what only several tenants together can get wrong: two of them claim one number.

    Args:
        specs: documents by any key, a tenant's id or the name of a file.

    Returns:
        By the same keys the findings of each document that has some; each names the other document.
    """
    claims: dict[str, list[tuple[str, Path]]] = {}
    for key, spec in specs.items():
        for number, path in _claims(spec):
            claims.setdefault(number, []).append((key, path))
    found: dict[str, list[Finding]] = {}
    for number, claimants in claims.items():
        for key, path in claimants:
            others = sorted({specs[other].tenant for other, _ in claimants if other != key})
            if others:
                found.setdefault(key, []).append(_taken(number, path, others))
    return {key: tuple(findings) for key, findings in found.items()}


def _claims(spec: TenantSpec) -> Iterator[tuple[str, Path]]:
    written = numbers_of(spec)
    for number, one in written.items():
        yield number, ("numbers", one.key)
        if one.number.stands_for and one.number.stands_for not in written:
            yield one.number.stands_for, ("numbers", one.key, "stands_for")


def _taken(number: str, path: Path, others: list[str]) -> Finding:
    return Finding(
        path=path,
        code="number-taken",
        message=f"{number} is claimed by tenant {' and tenant '.join(others)} too",
        remedy="leave it to one tenant; to move it, change both documents in one go",
    )
