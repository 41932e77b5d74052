"""Spend limits of extensions: each must be somebody's who pays by that account."""

import json
from pathlib import Path

import pytest
import yaml

from dialplan.spec import TenantSpec
from pbxcore.documents import read_texts
from pbxcore.payers import absent_tenants, limited_tenants
from rating.account import AccountSpec

CONFIG = Path(__file__).parents[3] / "config"
TENANT = (CONFIG / "tenants/acme.yaml").read_text()
ACCOUNT = (CONFIG / "accounts/acme.yaml").read_text()


def limits(*payers: str) -> str:
    """An account whose document limits some payers, a line each."""
    lines = "".join(f'    {payer}: {{per_day: "1.00"}}\n' for payer in payers)
    return f"{ACCOUNT}spend_limits:\n  extensions:\n{lines}"


@pytest.mark.parametrize(
    ("payer", "account", "found"),
    [
        ("acme/999", "acme", ["unknown-extension"]),
        ("acme/10", "other", ["pays-elsewhere"]),
        ("acme", "acme", ["no-payer"]),
        ('"acme/"', "acme", ["no-payer"]),
        ("acme/10", "acme", []),
        ("acme/office", "acme", []),  # hours that forward pay, too
        ("beta/999", "acme", []),  # whoever has that document says it
    ],
)
def test_a_limit_of_nobody_is_found_at_its_line(payer: str, account: str, found: list[str]) -> None:
    """Beside the tenant's document, as `pbxcore check` reads them."""
    tenant = TENANT.replace("account: acme", f"account: {account}")
    text = limits(payer)
    _, findings = read_texts([("tenant.yaml", tenant), ("account.yaml", text)])
    line = 1 + next(
        number for number, one in enumerate(text.splitlines()) if payer in one and "per_day" in one
    )
    where = [("account.yaml", line, code) for code in found]
    assert [(one.file, one.line, one.finding.code) for one in findings] == where
    assert all(one.finding.remedy for one in findings)


def test_a_tenant_that_is_not_there_is_found() -> None:
    """At the door all tenants are known."""
    spec = AccountSpec.model_validate_json(
        json.dumps(yaml.safe_load(limits("acme/10", "nobody/1")), default=str)
    )
    tenant = TenantSpec.model_validate_json(json.dumps(yaml.safe_load(TENANT), default=str))
    assert limited_tenants(spec) == {"acme", "nobody"}
    (found,) = absent_tenants(spec, {"acme": tenant})
    assert (found.code, found.path) == ("unknown-tenant", ("spend_limits", "extensions", "nobody/1"))
