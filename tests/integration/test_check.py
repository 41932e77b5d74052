"""`pbxcore check` beside what is in force: everything that can be known, in one run."""

import asyncio
import json
from collections.abc import Callable

import pytest

from pbxcore.settings import Settings
from tests.integration.examples import ACME, CONFIG, OTHER
from tests.integration.test_door import start

SENT = '"+493055500199": {to: number +88213001234}'


@pytest.mark.parametrize("door", ["check", "apply"])
def test_a_slip_keeps_nobody_from_being_compared(
    settings: Settings, command: Callable[..., tuple[int, str]], door: str
) -> None:
    """A malformed value, and beside it an account, a bundle and a number that others decide; at each door."""
    asyncio.run(start(settings))
    file, number = settings.state / "other.yaml", '"+493055500191": {to: extension 10}'
    slip = OTHER.replace("name: Ten", "name: 10").replace("account: acme", "account: acmee")
    file.write_text(slip.replace(number, number.replace("191", "100")))
    code, said = command(door, "--json", str(file))
    assert (code, found(said)) == (1, {"wrong-type", "unknown-account", "number-taken"})
    account = (CONFIG / "accounts" / "acme.yaml").read_text()
    file.write_text(account.replace("country: DE", "country: de").replace("bundle: dach", "bundle: world"))
    code, said = command(door, "--json", str(file))
    assert (code, found(said)) == (1, {"wrong-value", "unknown-bundle"})


def test_prices_in_force_are_asked_for_a_tenant_alone(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Its account and catalogue stand in the database: what they do not price is noted, and no mistake."""
    asyncio.run(start(settings))
    code, said = command("apply", str(CONFIG / "demo"))
    assert code == 0, said
    file = settings.state / "story.yaml"
    story = (CONFIG / "demo" / "tenant.yaml").read_text()
    file.write_text(story)
    assert "price" not in command("check", str(file))[1]
    file.write_text(story.replace("may_call: inside", "may_call: country"))
    code, said = command("check", str(file))
    assert (code, "story may call where story@2026-01-01 has no price: freephone in DE" in said) == (0, True)
    assert "→ add rows to the catalogue" in said


def test_apply_notes_a_forward_without_a_price(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """The document is in force, by the prices in force; who applied it knows which line nobody can price."""
    asyncio.run(start(settings))
    assert command("apply", str(CONFIG / "demo"))[0] == 0
    file = settings.state / "story.yaml"
    story = (CONFIG / "demo" / "tenant.yaml").read_text()
    file.write_text(story.replace("\nnumbers:\n", f"\nnumbers:\n  {SENT}\n"))
    line = file.read_text().splitlines().index(f"  {SENT}") + 1
    expected = (
        f"{file}:{line}: numbers.+493055500199.to sends calls to +88213001234 (satellite of no country,"
    )
    for door in ("check", "apply", "apply"):
        code, said = command(door, "--json", str(file))
        sent = [one for one in json.loads(said)["notes"] if "sends calls" in one]
        assert (code, [one.startswith(expected) for one in sent]) == (0, [True]), said
    assert "sends calls to +88213001234" in " ".join(command("apply", str(file))[1].split())


def found(said: str) -> set[str]:
    """Give the codes of findings."""
    return {one["code"] for one in json.loads(said)["findings"]}


def test_check_compares_with_what_is_in_force(
    settings: Settings, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account alone names a tenant and a bundle that nobody has; without a database that is not hidden."""
    asyncio.run(start(settings))
    account = (CONFIG / "accounts" / "acme.yaml").read_text()
    file = settings.state / "account.yaml"
    file.write_text(account + 'spend_limits:\n  extensions:\n    nobody/10: {per_day: "5.00"}\n')
    code, said = command("check", str(file))
    assert (code, "there is no tenant nobody" in said, "[unknown-tenant]" in said) == (1, True, True), said
    file.write_text(account.replace("bundle: ", "bundle: no"))
    assert command("check", str(file))[0] == 1
    file.write_text(account + 'spend_limits:\n  extensions:\n    acme/10: {per_day: "5.00"}\n')
    code, said = command("check", str(file))
    assert (code, "not checked" in said) == (0, False), said
    monkeypatch.setenv("PBXCORE_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    code, said = command("check", str(file))
    assert code == 0
    for name in ("catalogue autphone", "tenant acme"):
        assert f"account acme was not checked against its {name}" in said, said
    code, said = command("check", "--json", str(CONFIG))
    assert (code, [one for one in json.loads(said)["notes"] if "not checked" in one]) == (0, [])


def test_a_malformed_event_of_a_stored_contract_is_told(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """What follows for its account cannot be known, and the command says what is wrong all the same."""
    asyncio.run(start(settings))
    assert command("apply", str(CONFIG / "contracts"))[0] == 0
    file = settings.state / "contract.yaml"
    written = (CONFIG / "contracts" / "acme.yaml").read_text()
    file.write_text(written + "  - {on: 2026-02-01, at: '25:99', order: {add: {extension: 1}}}\n")
    code, said = command("check", "--json", str(file))
    assert (code, found(said)) == (1, {"wrong-value"}), said


def test_check_says_what_a_contract_does_not_let_a_tenant_have(
    settings: Settings, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As apply does, and before anything is stored; what a changing contract allows is not known."""
    asyncio.run(start(settings))
    more, contract = settings.state / "acme.yaml", CONFIG / "contracts" / "acme.yaml"
    phones = "".join(f'  "{number}": {{name: N, devices: [p{number}]}}\n' for number in (13, 14))
    more.write_text(ACME.replace("groups:\n", f"{phones}groups:\n", 1))
    code, said = command("check", "--json", str(more), str(contract))
    (note,) = json.loads(said)["notes"]
    assert code == 0
    assert note.startswith("whether contract acme, which changes too, lets tenant acme have what it uses")
    assert command("apply", str(contract))[0] == 0
    for documents in ((more,), (more, contract)):
        code, said = command("check", "--json", *map(str, documents))
        assert (code, found(said)) == (1, {"too-many-extensions"}), said
        assert json.loads(said)["notes"] == []
    assert command("apply", "--json", str(more))[0] == 1
    more.write_text(ACME + "max_calls: 9\n")
    code, said = command("check", "--json", str(more))
    assert (code, json.loads(said)["notes"]) == (0, [])
    monkeypatch.setenv("PBXCORE_DATABASE", "postgresql://nobody@127.0.0.1:1/none")
    said = command("check", "--json", str(more))[1]
    assert "whether contracts let acme have what they use" in said
