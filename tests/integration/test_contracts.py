"""Contracts in the database: facts are added and never lost, a quote is ordered once, a day is shown."""

import asyncio
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from pbxcore import contract_log, database, door, ordering
from pbxcore.database.migrations.versions.v0009_spelled import spell
from pbxcore.ordering import Ordered
from pbxcore.settings import Settings
from pbxcore.wanting import WantedError
from tests.integration.test_door import CONFIG, codes, put, rows

SIGNED = "  - {on: 2026-01-01, sign: {add: {extension: 4, number: 2, dach-S: 1}}}\n"
HEAD = "version: 1\ncontract: acme\ncatalogue: autphone\naccount: acme\nregion: BY\nevents:\n"
CONTRACT = HEAD + SIGNED
AUTPHONE = (CONFIG / "catalogues" / "autphone.yaml").read_text()
FIRST = "valid_from: 2026-01-01"
DAY = date(2026, 3, 2)
MORE = {"add": {"extension": 1}}
FREE = {"add": {"number": 1}}
Command = Callable[..., tuple[int, str]]


@pytest.fixture
async def signed(settings: Settings) -> Settings:
    """A machine whose account acme has a contract."""
    first = await door.apply(settings, [CONFIG / "catalogues", CONFIG / "accounts"], author="test")
    assert not first.findings
    applied = await put(settings, contract=CONTRACT)
    assert not applied.findings
    assert [(one.kind, one.revision, one.changed) for one in applied.changes] == [("contract", 1, True)]
    return settings


async def facts(settings: Settings) -> list[dict[str, Any]]:
    """The events that are stored, in their order."""
    found = await rows(settings, "SELECT event FROM contract_fact ORDER BY contract, number")
    return [json.loads(row["event"]) for row in found]


async def quote(settings: Settings, units: int = 1) -> str:
    """Ask for more extensions; give the id."""
    wanted = {"add": {"extension": units}}
    return (await ordering.ask(settings, "acme", wanted, day=DAY, author="test")).id


async def order(settings: Settings, name: str) -> Ordered:
    """Order a quote."""
    return await ordering.order(settings, "acme", name, day=DAY, author="test")


async def test_the_order_of_options_counts_and_is_found_again(settings: Settings) -> None:
    """Stored by a program that did not keep it, it is read again from what was written."""
    await door.apply(settings, [CONFIG / "catalogues"], author="test")
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        before = await contract_log.catalogues(connection)
        await connection.execute("UPDATE revision SET spelled = NULL")
        lost = await contract_log.catalogues(connection)
        await spell(connection)
        found = await contract_log.catalogues(connection)
    finally:
        await connection.close()
    ranks = [
        [list(choice.options) for one in read if one.offer for choice in one.offer.choices.values()]
        for read in (before, lost, found)
    ]
    assert ranks[0] == ranks[2] != ranks[1]
    easybell = (CONFIG / "catalogues/easybell.yaml").read_text()
    assert not (await put(settings, catalogue=easybell)).changes[0].changed


@pytest.mark.parametrize(
    ("text", "line", "code"),
    [
        (CONTRACT.replace("catalogue: autphone", "catalogue: none"), 3, "unknown-catalogue"),
        (CONTRACT.replace("account: acme", "account: nobody"), 4, "unknown-account"),
        (CONTRACT.replace("region: BY", "region: TI"), 5, "unknown-region"),
        (CONTRACT.replace("contract: acme", "contract: other"), 4, "account-taken"),
        (CONTRACT.replace("region: BY", "region: HH"), 5, "contract-fixed"),
        (CONTRACT.replace("account: acme\n", ""), 2, "contract-fixed"),
        (CONTRACT.replace("region: BY\n", "region: BY\ncustomer: {name: Other}\n"), 6, "contract-fixed"),
        (
            HEAD + "  - {on: 2026-01-01, sign: {add: {extension: 3, number: 2, dach-S: 1}}}\n",
            6,
            "undoes-order",
        ),
    ],
)
async def test_what_contradicts_what_is_stored_is_refused(
    signed: Settings, text: str, line: int, code: str
) -> None:
    """Unknown names, another's account, another head, a fact that undoes what is agreed: with its line."""
    before = await facts(signed)
    applied = await put(signed, bad=text)
    assert ("bad.yaml", line, code) in codes(applied)
    assert applied.changes == ()
    assert await facts(signed) == before


async def test_two_new_contracts_of_one_account_are_refused(settings: Settings) -> None:
    """Of one change nobody knows which was meant: both are told the other, and neither is stored."""
    await door.apply(settings, [CONFIG / "catalogues", CONFIG / "accounts"], author="test")
    applied = await put(settings, a=CONTRACT, b=CONTRACT.replace("contract: acme", "contract: other"))
    assert codes(applied) == [("a.yaml", 4, "account-taken"), ("b.yaml", 4, "account-taken")]
    assert await facts(settings) == []


def line_of(text: str, key: str) -> int:
    """Where a key of a document stands."""
    return text.splitlines().index(key) + 1


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('{from: 1, price_per_month: "6.50"}', '{from: 1, price_per_month: "9.99"}', "offer:"),
        ("minimum_months: 12 ", "minimum_months: 24 ", "offer:"),
        ("name: Paket DACH", "name: Paket Alpen", "bundles:"),
    ],
)
async def test_a_version_that_a_contract_has_is_not_changed_in_place(
    signed: Settings, old: str, new: str, key: str
) -> None:
    """What was agreed would cost or be something else; the line is told, and the remedy: another version."""
    assert old in AUTPHONE
    changed = AUTPHONE.replace(old, new)
    applied = await put(signed, catalogue=changed)
    assert ("catalogue.yaml", line_of(changed, key), "rewrites-contract") in codes(applied)
    assert not (await put(signed, catalogue=AUTPHONE)).findings
    assert not (await put(signed, catalogue=changed.replace(FIRST, "valid_from: 2026-06-01"))).findings


async def test_what_calls_cost_may_change_under_a_contract(signed: Settings) -> None:
    """A contract is about what the catalogue sells; rates are no part of it."""
    dearer = AUTPHONE.replace('price_per_minute: "0.019"', 'price_per_minute: "0.029"')
    assert (await put(signed, catalogue=dearer)).changes[0].changed


async def test_no_version_comes_between_a_catalogue_and_its_contract(settings: Settings) -> None:
    """A version of a day before the signing would be the one that was signed; later ones are welcome."""
    await door.apply(settings, [CONFIG / "catalogues", CONFIG / "accounts"], author="test")
    await put(settings, contract=CONTRACT.replace("2026-01-01", "2026-03-01"))
    dearer = AUTPHONE.replace('price_per_month: "6.50"', 'price_per_month: "9.99"')
    between, after = (dearer.replace(FIRST, f"valid_from: 2026-03-0{day}") for day in (1, 2))
    line = line_of(between, "valid_from: 2026-03-01")
    assert codes(await put(settings, catalogue=between)) == [("catalogue.yaml", line, "rewrites-contract")]
    assert not (await put(settings, catalogue=after)).findings


async def test_a_late_order_makes_no_other_order_of_one_that_is_binding(signed: Settings) -> None:
    """Learned behind an accepted order and before it by its day, it would change what that one came to."""
    await order(signed, await quote(signed))
    before = await facts(signed)
    late = HEAD + "  - {on: 2026-02-15, order: {add: {extension: 50}}}\n"
    applied = await put(signed, late=late)
    assert codes(applied) == [("late.yaml", 6, "undoes-order")]
    assert "would come to something else" in applied.findings[0].finding.message
    assert await facts(signed) == before


async def test_a_document_adds_only_what_is_new(signed: Settings) -> None:
    """Applied again it changes nothing, in whatever words; one more event is one more fact."""
    again = CONTRACT.replace("on: 2026-01-01", 'on: "2026-01-01", at: "00:00"')
    assert [one.changed for one in (await put(signed, contract=again)).changes] == [False]
    use = "  - {on: 2026-02-01, use: {counts: {extensions: 3}}}\n"
    assert [one.revision for one in (await put(signed, contract=CONTRACT + use)).changes] == [2]
    assert (await put(signed, contract=HEAD + use)).changes[0].changed is False
    assert [one["on"] for one in await facts(signed)] == ["2026-01-01", "2026-02-01"]


def test_a_quote_is_ordered_exactly_once(signed: Settings, command: Command) -> None:
    """By its id alone; it is binding from then on, shown on its day, and a second time changes nothing."""
    code, told = command("quote", "acme", "--add", "extension=1", "--on", "2026-03-02", "--json")
    quoted = json.loads(told)
    assert (code, asyncio.run(facts(signed))[1:]) == (0, [])
    code, told = command("order", "acme", "--quote", quoted["id"], "--on", "2026-03-02", "--json")
    assert (code, json.loads(told)["outcome"], json.loads(told)["fact"]) == (0, "accepted", 2)
    code, told = command("order", "acme", "--quote", quoted["id"], "--on", "2026-03-02", "--json")
    assert (code, json.loads(told)["outcome"], json.loads(told)["fact"]) == (0, "unchanged", 2)
    assert [one.get("order") for one in asyncio.run(facts(signed))[1:]] == [{**MORE, "agreed": quoted["id"]}]
    shown = [
        json.loads(command("contract", "show", "acme", "--on", day, "--json")[1])["products"]["extension"]
        for day in ("2026-02-28", "2026-03-31")
    ]
    assert shown == [4, 5]


@pytest.mark.parametrize("added", [("extension=1", "number=1"), ("number=1", "extension=1")])
def test_a_quote_holds_in_whatever_order_its_parts_were_said(
    signed: Settings, command: Command, added: tuple[str, str]
) -> None:
    """The database sorts the keys of what was wanted; that is still what was quoted."""
    first, second = added
    _, told = command("quote", "acme", "--add", first, "--add", second, "--on", "2026-03-02", "--json")
    code, said = command("order", "acme", "--quote", json.loads(told)["id"], "--on", "2026-03-02", "--json")
    assert (code, json.loads(said)["outcome"]) == (0, "accepted")
    assert len(asyncio.run(facts(signed))) == 2


def test_what_was_quoted_again_is_ordered_again(signed: Settings, command: Command) -> None:
    """Two quotes of the same units, each asked for after the order before it, are two orders."""
    for units in (1, 2):
        _, told = command("quote", "acme", "--add", "number=1", "--on", "2026-03-02", "--json")
        command("order", "acme", "--quote", json.loads(told)["id"], "--on", "2026-03-02")
        assert len(asyncio.run(facts(signed))) == 1 + units


async def test_an_order_sent_again_after_the_same_was_quoted_again_changes_nothing(signed: Settings) -> None:
    """Its answer was lost: the old id finds its own fact, and only the new one orders once more."""
    first = (await ordering.ask(signed, "acme", FREE, day=DAY, author="test")).id
    assert (await order(signed, first)).outcome == "accepted"
    second = (await ordering.ask(signed, "acme", FREE, day=DAY, author="test")).id
    assert first.partition("-")[0] == second.partition("-")[0]
    done = [await order(signed, one) for one in (first, second, first)]
    assert [one.number for one in done] == [2, 3, 2]
    assert [one.outcome for one in done] == ["unchanged", "accepted", "unchanged"]
    assert len(await facts(signed)) == 3


def test_a_quote_of_a_contract_that_moved_is_refused_with_both_sides(
    signed: Settings, command: Command
) -> None:
    """What was quoted, what it would be now and who did what in between; nothing is stored."""
    on = ("--on", "2026-03-02", "--json")
    first, second = (
        json.loads(command("quote", "acme", "--add", f"extension={units}", *on)[1]) for units in (1, 2)
    )
    command("order", "acme", "--quote", first["id"], *on)
    code, told = command("order", "acme", "--quote", second["id"], *on)
    answer = json.loads(told)
    assert (code, answer["outcome"], answer["refusals"][0]["code"]) == (1, "refused", "quote-changed")
    sides = answer["sides"]
    assert second["id"].startswith(f"{sides['quoted']['id']}-")
    assert sides["now"]["id"] != sides["quoted"]["id"]
    assert [(one["fact"], one["event"]["order"]["agreed"]) for one in sides["since"]] == [(2, first["id"])]
    code, told = command("order", "acme", "--quote", second["id"], "--on", "2026-03-02")
    assert code == 1
    assert "since then: on 2026-03-02 by" in told
    assert ": ordered: 1 x extension; fact 2 of the contract" in told
    assert "{" not in told
    assert len(asyncio.run(facts(signed))) == 2


def test_people_see_a_contract_today_and_each_of_its_facts(signed: Settings, command: Command) -> None:
    """`contract show` needs no day; `history` lists facts with their day among the documents of that name."""
    assert not asyncio.run(put(signed, notice=HEAD + "  - {on: 2026-03-01, cancel: {}}\n")).findings
    code, told = command("contract", "show", "acme", "--json")
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    assert (code, json.loads(told)["on"]) == (0, str(today))
    code, told = command("history", "acme", "--json")
    lines = [(one["kind"], one["revision"], one["what"]) for one in json.loads(told)]
    assert (code, lines) == (0, [
        ("account", 1, "first revision"), ("contract", 2, "cancel of 2026-03-01"),
        ("contract", 1, "sign of 2026-01-01"),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("order", "acme", "--quote", "0123456789abcdef"), 1, "has no quote"),
        (
            ("order", "acme", "--quote", "0123456789abcdef", "--add", "extension=1"),
            2,
            "name only the quote's id",
        ),
        (("order", "acme", "--quote", "a/b", "--signed-copy", "x.pdf"), 2, "'a/b' is no id of a quote"),
        (("order", "./acme.yaml", "--quote", "a/b", "--add", "extension=1"), 2, "is no id of a quote"),
        (("quote", "nobody", "--add", "extension=1"), 1, "there is no contract 'nobody'"),
        (("quote", "acmee", "--add", "extension=1"), 1, "did you mean acme?"),
        (("order", "acne", "--quote", "0123456789abcdef"), 1, "did you mean acme?"),
        (("contract", "show", "amce", "--on", "2026-03-02"), 1, "did you mean acme?"),
        (("history", "acmee"), 1, "did you mean acme?"),
        (("quote", "acme", "--begins", "2027-01-01"), 2, "begins cannot be said"),
        (("contract", "show", "nobody", "--on", "2026-03-02"), 1, "there is no contract 'nobody'"),
        (
            ("contract", "show", "acme", "--on", "2026-03-02", "--catalogue", "."),
            2,
            "goes by the catalogues there",
        ),
    ],
)
def test_what_cannot_be_ordered_says_why(
    signed: Settings, command: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Unknown contracts and quotes, and words that fit none, end with a reason; nothing is stored."""
    found, told = command(*arguments)
    assert (found, words in told) == (code, True), told
    assert len(asyncio.run(facts(signed))) == 1


async def test_of_two_orders_at_once_one_wins_and_the_other_is_told(signed: Settings) -> None:
    """Both were quoted for the same contract; the second one is refused with both sides, nothing is lost."""
    quotes = [await quote(signed, units) for units in (1, 2)]
    done = await asyncio.gather(*(order(signed, one) for one in quotes))
    assert sorted(one.outcome for one in done) == ["accepted", "refused"]
    lost = next(one for one in done if one.outcome == "refused")
    assert lost.sides is not None
    assert [one.number for one in lost.sides.since] == [2]
    assert len(await facts(signed)) == 2


async def test_one_quote_sent_by_many_at_once_is_one_order(signed: Settings) -> None:
    """Whoever comes later hears which fact it became."""
    name = await quote(signed)
    done = await asyncio.gather(*(order(signed, name) for _ in range(4)))
    assert sorted(one.outcome for one in done) == ["accepted", "unchanged", "unchanged", "unchanged"]
    assert {one.number for one in done} == {2}


async def test_a_later_fact_keeps_an_order_of_an_earlier_day_away(signed: Settings) -> None:
    """What was agreed saw everything that is known; nobody orders into the past of another fact."""
    name = await quote(signed)
    use = "  - {on: 2026-04-01, use: {counts: {extensions: 3}}}\n"
    await put(signed, contract=CONTRACT + use + "  - {on: 2026-04-02, edit: {what: groups, by: staff}}\n")
    with pytest.raises(WantedError, match="2026-04-02"):
        await order(signed, name)


async def test_what_tenants_have_since_keeps_no_order_away(signed: Settings) -> None:
    """A form that was signed before counts from its day; the door says what they have with every change."""
    name = await quote(signed)
    await put(signed, contract=CONTRACT + "  - {on: 2026-04-01, use: {counts: {extensions: 3}}}\n")
    assert (await order(signed, name)).outcome == "accepted"


async def test_the_schema_orders_no_quote_twice(signed: Settings) -> None:
    """A mistake of the program stops at the database."""
    name = await quote(signed)
    await order(signed, name)
    connection = await database.connect(signed.database, application="test")
    number = await connection.fetchval("SELECT number FROM contract_quote")
    with pytest.raises(asyncpg.UniqueViolationError):
        await contract_log.append(connection, "acme", 3, {"on": "2026-03-03"}, author="test", quote=number)
    await connection.close()


def test_a_signed_copy_is_kept_with_its_order_alone(
    signed: Settings, command: Command, tmp_path: Path
) -> None:
    """The scan stands in the state folder under the quote's id; without an order it is not kept."""
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.7 signed")
    _, told = command("quote", "acme", "--add", "extension=1", "--on", "2026-03-02", "--json")
    name = json.loads(told)["id"]
    assert command("order", "acme", "--quote", "0" * 16, "--signed-copy", str(scan))[0] == 1
    assert command("order", "acme", "--quote", name, "--on", "2026-03-02", "--signed-copy", str(scan))[0] == 0
    kept = signed.state / "contracts"
    assert [one.name for one in kept.iterdir()] == [f"acme-{name}.pdf"]
    assert asyncio.run(facts(signed))[-1]["order"]["signed_form"] == f"acme-{name}.pdf"
