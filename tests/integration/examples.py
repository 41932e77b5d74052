"""Documents that several tests change and apply: the example tenant, and another one beside it."""

from pathlib import Path

CONFIG = Path(__file__).parents[2] / "config"
FIRST = ("catalogues", "accounts", "tenants")  # folders of what `pbxcore run` applies at its first start
ACME = (CONFIG / "tenants" / "acme.yaml").read_text()
OTHER = """version: 1
tenant: other
name: Other
country: DE
time_zone: Europe/Berlin
account: acme
numbers:
  "+493055500191": {to: extension 10}
extensions:
  "10": {name: Ten, devices: [p10]}
"""


def acme(seconds: int) -> str:
    """Give the example tenant with another time of ringing."""
    assert "timeout_s: 12" in ACME
    return ACME.replace("timeout_s: 12", f"timeout_s: {seconds}")
