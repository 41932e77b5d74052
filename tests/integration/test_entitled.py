"""What a contract lets tenants use: stored with every order, held at the door, and heard by calls."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dialplan.decide import decide
from dialplan.entitlement import Timeline
from dialplan.facts import Facts, Origin, State
from pbxcore import database, door, ordering, published
from pbxcore.door import Applied
from pbxcore.settings import Settings
from rating.contract.story import tell
from tests.integration.test_door import CONFIG, codes, put, rows

ZONE = ZoneInfo("Europe/Berlin")
WORDS = "{de: X, en: X, it: X, nl: X}"
EASYBELL = (CONFIG / "catalogues/easybell.yaml").read_text().replace("valid_from: 2026", "valid_from: 2020")
GATED = EASYBELL + f"    groups:\n      name: {WORDS}\n      when: {{edition: pro}}\n"
"""Easybell's catalogue, if it sold ring groups with Pro only."""
ACCOUNT = """
version: 1
account: beta
name: Beta
country: DE
catalogue: easybell
time_zone: Europe/Berlin
"""
SIGNED = "  - {on: 2020-03-01, sign: {choose: {size: '5', edition: classic}}}\n"
CONTRACT = "version: 1\ncontract: beta\ncatalogue: easybell\naccount: beta\nevents:\n" + SIGNED
Command = Callable[..., tuple[int, str]]


def tenant(extensions: int, *, groups: bool = False, name: str = "beta", head: str = "") -> str:
    """Write a tenant with as many extensions, a phone each, and a ring group."""
    lines = [f'  "{10 + one}": {{name: N{one}, devices: [p{one}]}}' for one in range(extensions)]
    number = f'"+49305555{len(name):02}00"'
    group = 'groups:\n  all: {name: All, extension: "60", members: ["11"]}\n' if groups else ""
    about = f"version: 1\ntenant: {name}\nname: {name}\ncountry: DE\ntime_zone: Europe/Berlin\n"
    numbers = f"numbers:\n  {number}: {{to: extension 10}}\n"
    return about + f"account: beta\n{head}{numbers}extensions:\n" + "\n".join(lines) + f"\n{group}"


@pytest.fixture
async def under_contract(settings: Settings) -> Settings:
    """A machine whose account beta has signed for five extensions, Classic, and whose tenant has five."""
    applied = await put(settings, catalogue=GATED, account=ACCOUNT, contract=CONTRACT, tenant=tenant(5))
    assert not applied.findings
    return settings


async def entries(settings: Settings, name: str = "beta") -> list[dict[str, Any]]:
    """What the newest revision of a tenant says that its contract lets it use."""
    found = await rows(
        settings, "SELECT id, entitlements FROM revision WHERE kind = 'tenant' ORDER BY revision"
    )
    newest = {one["id"]: one["entitlements"] for one in found}
    return list(json.loads(newest[name] or "[]"))


async def facts(settings: Settings) -> list[dict[str, Any]]:
    """The events of contracts, in their order."""
    return [
        json.loads(one["event"])
        for one in await rows(settings, "SELECT event FROM contract_fact ORDER BY number")
    ]


def timeline(settings: Settings) -> Timeline:
    """What the plan in force says that the tenant may use."""
    plan = published.load(settings.published).plans.get("beta")
    assert plan is not None
    return plan.entitlements


def reason(settings: Settings, dialled: str, at: datetime) -> str:
    """Dial from a phone by what is published; give why the call is refused, or nothing."""
    there = published.load(settings.published)
    asked = Facts(call="c", linkedid="c", origin=Origin.PHONE, endpoint="beta-p0", actor="beta-p0",
                  dialled=dialled, caller="")  # fmt: skip
    return str(getattr(decide(there, asked, State(), at).steps[0], "reason", ""))


def next_month() -> datetime:
    """The next change of month by the account's clock."""
    today = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today.replace(day=1) + timedelta(days=32)).replace(day=1)


async def test_a_contract_and_its_tenant_are_stored_with_what_it_includes(under_contract: Settings) -> None:
    """In one change; the document stays as it was written, and the plan in force has the timeline."""
    assert await entries(under_contract) == [
        {
            "since": "2020-03-01",
            "features": ["announcements", "hours", "voicemail"],
            "extensions": 5,
            "devices": 5,
        }
    ]
    (stored,) = await rows(under_contract, "SELECT source, document FROM revision WHERE kind = 'tenant'")
    assert "entitlements" not in stored["source"] + stored["document"]
    (one,) = timeline(under_contract)
    assert (one.extensions, one.devices) == (5, 5)
    assert (await facts(under_contract))[-1]["use"] == {"counts": {"extensions": 5, "devices": 5}}


@pytest.mark.row("1.1")
async def test_row_1_1_more_than_the_contract_allows_is_refused_with_an_offer(
    under_contract: Settings,
) -> None:
    """The line, the smallest size that suffices, its price and day; nothing is stored but the quote."""
    text = tenant(6)
    applied = await put(under_contract, tenant=text)
    line = text.splitlines().index('  "15": {name: N5, devices: [p5]}') + 1
    assert codes(applied) == [
        ("tenant.yaml", line, "too-many-extensions"),
        ("tenant.yaml", line, "too-many-devices"),
    ]
    (offer,) = applied.offers
    words = f"size 10 (17.90 instead of 9.90 EUR a month, from {next_month().date()})"
    assert offer.said == words
    assert all(
        words in one.finding.remedy and offer.quote.id in one.finding.remedy for one in applied.findings
    )
    assert len(await rows(under_contract, "SELECT FROM revision WHERE kind = 'tenant'")) == 1
    assert [
        one["id"] + f"-{one['number']}" for one in await rows(under_contract, "SELECT * FROM contract_quote")
    ] == [offer.quote.id]


@pytest.mark.row("1.1")
async def test_row_1_1_accepting_the_offer_orders_and_applies_in_one_go(under_contract: Settings) -> None:
    """The contract has the order, the tenant its sixth extension, and both in the same transaction."""
    quote = (await put(under_contract, tenant=tenant(6))).offers[0].quote.id
    applied = await accept(under_contract, quote, tenant(6))
    assert [(one.kind, one.id, one.changed) for one in applied.changes] == [
        ("contract", "beta", True), ("tenant", "beta", True)
    ]  # fmt: skip
    order, use = (await facts(under_contract))[-2:]
    assert order["order"] == {"choose": {"size": "10"}, "agreed": quote}
    assert use["use"] == {"counts": {"extensions": 6, "devices": 6}}
    instants = await rows(
        under_contract,
        "SELECT recorded_at AS at FROM contract_fact WHERE number > 2 "
        "UNION SELECT created_at FROM revision WHERE kind = 'tenant' AND revision = 2",
    )
    assert len(instants) == 1
    assert [one["extensions"] for one in await entries(under_contract)] == [5, 10]


async def accept(settings: Settings, quote: str, text: str) -> Applied:
    """Apply a document together with an order."""
    file = settings.state / "accepted.yaml"
    file.write_text(text)
    first = ordering.with_order(quote, author="test")
    return await door.apply(settings, [file], author="test", first=first)


@pytest.mark.row("1.8")
async def test_row_1_8_what_is_bought_for_a_date_is_heard_from_that_instant_on(
    under_contract: Settings,
) -> None:
    """Pro, ordered with its ring group today, rings from the change of month on; nothing is applied then."""
    applied = await put(under_contract, tenant=tenant(5, groups=True))
    assert [code for *_, code in codes(applied)] == ["not-entitled"]
    (offer,) = applied.offers
    assert offer.said == f"edition pro (14.90 instead of 9.90 EUR a month, from {next_month().date()})"
    assert not (await accept(under_contract, offer.quote.id, tenant(5, groups=True))).findings
    assert reason(under_contract, "60", next_month() - timedelta(seconds=1)) == "not-entitled"
    assert reason(under_contract, "60", next_month()) == ""
    assert reason(under_contract, "11", next_month() - timedelta(seconds=1)) == ""
    assert reason(under_contract, "112", next_month() - timedelta(seconds=1)) == ""


async def test_an_order_alone_reaches_the_plan_in_force(under_contract: Settings) -> None:
    """Its tenants have a new revision with it, published; the document is the one that was written."""
    ordered = await ask(under_contract, {"choose": {"edition": "pro"}})
    done = await ordering.order(under_contract, "beta", ordered, day=datetime.now(ZONE).date(), author="test")
    assert [(one.id, one.revision) for one in done.applied.changes] == [("beta", 2)]
    assert [(one.tenant, one.revision) for one in done.applied.published] == [("beta", 2)]
    assert [one.since for one in timeline(under_contract)][1:] == [next_month().astimezone(UTC)]
    first, second = await rows(under_contract, "SELECT source, document FROM revision WHERE kind = 'tenant'")
    assert (first["source"], first["document"]) == (second["source"], second["document"])


async def ask(settings: Settings, wanted: dict[str, Any]) -> str:
    """Ask for a quote of a change today; give its id."""
    today = datetime.now(ZONE).date()
    return (await ordering.ask(settings, "beta", wanted, day=today, author="test")).id


async def test_a_base_from_before_an_order_is_not_stale(under_contract: Settings) -> None:
    """A contract's revision says the same as the one before: whoever edits that overwrites nobody."""
    quote = await ask(under_contract, {"choose": {"size": "10"}})
    await ordering.order(under_contract, "beta", quote, day=datetime.now(ZONE).date(), author="test")
    applied = await put(under_contract, tenant="# base: 1\n" + tenant(6))
    assert (applied.stale, [one.revision for one in applied.changes]) == ((), [3])
    assert (await put(under_contract, tenant="# base: 2\n" + tenant(5))).stale


async def test_an_offer_that_no_longer_holds_changes_nothing(under_contract: Settings) -> None:
    """Neither is the quote ordered nor the document applied; an unknown id is told, too."""
    quote = (await put(under_contract, tenant=tenant(6))).offers[0].quote.id
    other = await ask(under_contract, {"choose": {"size": "20"}})
    await ordering.order(under_contract, "beta", other, day=datetime.now(ZONE).date(), author="test")
    before = await facts(under_contract)
    for name, code in (
        (quote, "quote-changed"),
        ("0123456789abcdef-99", "unknown-quote"),
        ("x", "unknown-quote"),
    ):
        assert [found for *_, found in codes(await accept(under_contract, name, tenant(6)))] == [code]
    assert await facts(under_contract) == before


async def test_an_order_that_does_not_suffice_is_not_given(under_contract: Settings) -> None:
    """What it would allow is less than the document has: both are refused together."""
    quote = (await put(under_contract, tenant=tenant(6))).offers[0].quote.id
    before = await facts(under_contract)
    applied = await accept(under_contract, quote, tenant(11))
    assert {code for *_, code in codes(applied)} == {"too-many-devices", "too-many-extensions"}
    assert (applied.changes, applied.offers, await facts(under_contract)) == ((), (), before)


@pytest.mark.parametrize(
    ("wanted", "limits"),
    [({"choose": {"size": "10"}}, [5, 10]), ({"cancel": {}}, [5, 0])],
    ids=["more", "the end"],
)
async def test_an_order_beside_another_accounts_document_reaches_its_own_tenants(
    under_contract: Settings, wanted: dict[str, Any], limits: list[int]
) -> None:
    """The file names no tenant of the contract: these have their new revision with the order all the same."""
    other = tenant(1, name="gamma").replace("account: beta", "account: gamma")
    await put(under_contract, account=ACCOUNT.replace("beta", "gamma"))
    applied = await accept(under_contract, await ask(under_contract, wanted), other)
    assert [(one.kind, one.id, one.changed) for one in applied.changes] == [
        ("contract", "beta", True), ("tenant", "gamma", True), ("tenant", "beta", True)
    ]  # fmt: skip
    assert [one["extensions"] for one in await entries(under_contract)] == limits
    assert [one.extensions for one in timeline(under_contract)] == limits


async def test_tenants_of_one_account_share_what_it_includes(under_contract: Settings) -> None:
    """Five are there: the second tenant's first one is one too many, and its offer is for all six."""
    applied = await put(under_contract, second=tenant(1, name="second"))
    assert {code for *_, code in codes(applied)} == {"too-many-devices", "too-many-extensions"}
    words = "tenant second has 1 extensions and is entitled to 0 by contract beta, beside 5 of its account's "
    assert applied.findings[0].finding.message == f"{words}other tenants"
    assert not (await accept(under_contract, applied.offers[0].quote.id, tenant(1, name="second"))).findings
    assert await entries(under_contract) == await entries(under_contract, "second")
    assert (await facts(under_contract))[-1]["use"] == {"counts": {"extensions": 6, "devices": 6}}


async def test_who_writes_entitlements_under_a_contract_is_refused(under_contract: Settings) -> None:
    """The contract says what the tenant may use, in one place."""
    head = "entitlements:\n  - {since: 2026-01-01}\n"
    assert codes(await put(under_contract, tenant=tenant(5, head=head))) == [
        ("tenant.yaml", 7, "contract-entitles")
    ]


@pytest.mark.parametrize(
    "contract", ["", CONTRACT.replace(SIGNED, "  []\n")], ids=["none", "nobody has signed"]
)
async def test_without_a_signed_contract_nothing_is_withheld(settings: Settings, contract: str) -> None:
    """A tenant whose account has none may have and use everything, as before."""
    more = {"contract": contract} if contract else {}
    applied = await put(settings, catalogue=GATED, account=ACCOUNT, tenant=tenant(30, groups=True), **more)
    assert not applied.findings
    assert await entries(settings) == []
    assert reason(settings, "60", datetime.now(UTC)) == ""


async def test_a_contract_that_begins_later_withholds_nothing_until_then(settings: Settings) -> None:
    """A tenant that works without a contract goes on working, and may be edited, if one is ordered."""
    await put(settings, catalogue=GATED, account=ACCOUNT, tenant=tenant(6, groups=True))
    await put(settings, contract=CONTRACT.replace(SIGNED, "  []\n"))
    today = datetime.now(ZONE).date()
    begins = today + timedelta(days=5)
    signing = await ask(settings, {"choose": {"size": "5", "edition": "classic"}, "begins": str(begins)})
    await ordering.order(settings, "beta", signing, day=today, author="test")
    assert [one["since"] for one in await entries(settings)] == ["2000-01-01", str(begins)]
    first = datetime.combine(begins, time(), ZONE)
    assert reason(settings, "60", datetime.now(UTC)) == ""
    assert reason(settings, "60", first - timedelta(seconds=1)) == ""
    assert reason(settings, "60", first) == "not-entitled"
    assert not (await put(settings, tenant=tenant(7, groups=True))).findings


@pytest.mark.row("1.7")
async def test_row_1_7_conditions_are_checked_on_the_day_by_what_tenants_have(
    under_contract: Settings,
) -> None:
    """Ten are ordered down to five while five are there; a sixth keeps the ten, and its end lets them go."""
    text = CONTRACT.replace("size: '5'", "size: '10'").replace("beta", "ten")
    account = ACCOUNT.replace("beta", "ten")
    ten = {count: tenant(count, name="ten").replace("account: beta", "account: ten") for count in (5, 6)}
    await put(under_contract, account=account, contract=text, tenant=ten[5])
    today = datetime.now(ZONE).date()
    wanted = {"choose": {"size": "5"}}
    down = (await ordering.ask(under_contract, "ten", wanted, day=today, author="test")).id
    await ordering.order(under_contract, "ten", down, day=today, author="test")
    limits = []
    for count in (5, 6, 5):
        assert not (await put(under_contract, tenant=ten[count])).findings
        limits.append([one["extensions"] for one in await entries(under_contract, "ten")])
    assert limits == [[10, 5], [10], [10, 5]]


async def test_a_move_takes_nothing_away_that_is_in_use(settings: Settings) -> None:
    """To another catalogue that gates the same function and limits the same number: all of it is told."""
    signed = CONTRACT.replace("size: '5', edition: classic", "size: '10', edition: pro")
    gates = f"offer:\n  features:\n    groups: {{name: {WORDS}, when: {{package: plus}}}}\n"
    other = (CONFIG / "catalogues/cloudpbx.yaml").read_text().replace("valid_from: 2026", "valid_from: 2020")
    applied = await put(
        settings, catalogue=GATED, account=ACCOUNT, contract=signed, tenant=tenant(8, groups=True)
    )
    assert not applied.findings
    assert not (await put(settings, catalogue=other.replace("offer:\n", gates, 1))).findings
    to = {"catalogue": "cloudpbx", "add": {"user": 7}, "choose": {"package": "basic"}}
    today = datetime.now(ZONE).date()
    made = await ordering.ask(settings, "beta", {"move": to}, day=today, author="test")
    assert [one.message for one in made.plan.refusals] == [
        "8 extensions are in use, and 7 would be allowed",
        "groups is in use and would be lost",
    ]
    assert not (await put(settings, tenant=tenant(7))).findings
    made = await ordering.ask(settings, "beta", {"move": to}, day=today, author="test")
    assert not made.refused


async def test_what_is_bought_for_a_later_day_is_not_had_before(settings: Settings) -> None:
    """Where more may be used only when it begins, a sixth extension waits for that day, without an offer."""
    later = GATED.replace("usable: at-once", "usable: with-change")
    await put(settings, catalogue=later, account=ACCOUNT, contract=CONTRACT, tenant=tenant(5))
    quote = await ask(settings, {"choose": {"size": "10"}})
    await ordering.order(settings, "beta", quote, day=datetime.now(ZONE).date(), author="test")
    assert [one["extensions"] for one in await entries(settings)] == [5, 10]
    applied = await put(settings, tenant=tenant(6))
    assert {code for *_, code in codes(applied)} == {"extensions-not-yet", "devices-not-yet"}
    begins = next_month().astimezone(UTC)
    assert (
        f"entitled to 5 until {begins:%Y-%m-%d %H:%M} UTC by contract beta"
        in applied.findings[0].finding.message
    )
    assert [one.quote.plan for one in applied.offers] == []


async def test_a_move_to_a_catalogue_that_gates_more_takes_nothing_away(settings: Settings) -> None:
    """What the old one neither gates nor limits is in use all the same: told, and told again on the day."""
    signed = CONTRACT.replace("classic", "pro").replace("size: '5'", "size: '10'")
    gates = f"offer:\n  features:\n    groups: {{name: {WORDS}, when: {{package: plus}}}}\n"
    other = (CONFIG / "catalogues/cloudpbx.yaml").read_text().replace("valid_from: 2026", "valid_from: 2020")
    await put(settings, catalogue=EASYBELL, other=other.replace("offer:\n", gates, 1), account=ACCOUNT)
    await put(settings, contract=signed, tenant=tenant(3, groups=True))
    assert (await facts(settings))[-1]["use"]["features"] == ["groups"]
    to = {"catalogue": "cloudpbx", "add": {"user": 3}, "choose": {"package": "basic"}}
    today = datetime.now(ZONE).date()
    made = await ordering.ask(settings, "beta", {"move": to}, day=today, author="test")
    assert [one.message for one in made.plan.refusals] == ["groups is in use and would be lost"]


async def test_the_end_of_a_contract_that_gates_nothing_is_known(settings: Settings) -> None:
    """Its catalogue withholds nothing and limits nothing: after its last day nothing is included."""
    catalogue = (CONFIG / "catalogues/autphone.yaml").read_text()
    contract = "version: 1\ncontract: beta\ncatalogue: autphone\naccount: beta\nevents:\n"
    events = "  - {on: 2026-01-15, sign: {add: {extension: 4}}}\n  - {on: 2026-03-01, cancel: {}}\n"
    await put(
        settings, catalogue=catalogue, account=ACCOUNT.replace("easybell", "autphone"), tenant=tenant(3)
    )
    assert not (await put(settings, contract=contract + events)).findings
    known = await entries(settings)
    assert [(one["since"], bool(one["features"])) for one in known] == [
        ("2026-01-15", True),
        ("2027-01-15", False),
    ]


async def test_counts_are_told_while_a_feature_waits_to_begin(settings: Settings) -> None:
    """Nine extensions and a group that begins with Pro: a size of five is refused at once, for the nine."""
    contract = CONTRACT.replace("size: '5'", "size: '10'")
    await put(settings, catalogue=GATED, account=ACCOUNT, contract=contract, tenant=tenant(3))
    today = datetime.now(ZONE).date()
    await ordering.order(
        settings, "beta", await ask(settings, {"choose": {"edition": "pro"}}), day=today, author="test"
    )
    assert not (await put(settings, tenant=tenant(9, groups=True))).findings
    assert (await facts(settings))[-1]["use"] == {"counts": {"extensions": 9, "devices": 9}}
    down = await ordering.ask(settings, "beta", {"choose": {"size": "5"}}, day=today, author="test")
    assert {one.code for one in down.plan.refusals} == {"remove-first"}


@pytest.mark.parametrize("wanted", [{"size": "5"}, {"edition": "classic"}], ids=["counts", "group"])
async def test_an_order_is_judged_by_what_tenants_have_since_the_contract_began(
    settings: Settings, wanted: dict[str, str]
) -> None:
    """Signed to begin tomorrow, eight extensions and a group there: the day after nobody gives them up."""
    today = datetime.now(ZONE).date()
    begins = f"{today}, sign: {{begins: {today + timedelta(days=1)}, choose: {{size: '10', edition: pro}}}}"
    contract = CONTRACT.replace(SIGNED, f"  - {{on: {begins}}}\n")
    await put(settings, catalogue=GATED, account=ACCOUNT, tenant=tenant(8, groups=True))
    assert not (await put(settings, contract=contract)).findings
    known = await facts(settings)
    down = await ordering.ask(
        settings, "beta", {"choose": wanted}, day=today + timedelta(days=2), author="test"
    )
    assert {one.code for one in down.plan.refusals} == {"remove-first"}
    assert await facts(settings) == known


async def test_a_quote_is_not_ordered_once_what_it_gives_up_is_in_use(settings: Settings) -> None:
    """A group came after the quote and before the contract began: nobody could tell, the order sees it."""
    today = datetime.now(ZONE).date()
    begins = f"{today}, sign: {{begins: {today + timedelta(days=1)}, choose: {{size: '5', edition: pro}}}}"
    contract = CONTRACT.replace(SIGNED, f"  - {{on: {begins}}}\n")
    await put(settings, catalogue=GATED, account=ACCOUNT, contract=contract, tenant=tenant(5))
    later, wanted = today + timedelta(days=2), {"choose": {"edition": "classic"}}
    down = await ordering.ask(settings, "beta", wanted, day=later, author="test")
    assert not down.refused
    assert not (await put(settings, tenant=tenant(5, groups=True))).findings
    done = await ordering.order(settings, "beta", down.id, day=later, author="test")
    assert done.answer is not None
    assert (done.outcome, done.answer.refusals[0].code) == ("refused", "remove-first")


async def test_in_the_last_minute_of_a_day_the_most_is_known_and_nothing_is_told_twice(
    settings: Settings,
) -> None:
    """Behind 23:59 there is no minute: ten are more than nine, and fewer are told on the next day."""
    today = datetime.now(ZONE).date()
    last = f"  - {{on: {today}, at: '23:59', use: {{counts: {{extensions: 3, devices: 3}}}}}}\n"
    contract = CONTRACT.replace("size: '5'", "size: '10'") + last
    await put(settings, catalogue=GATED, account=ACCOUNT, contract=contract)
    known = []
    for count in (9, 10, 10, 8, 8):
        assert not (await put(settings, tenant=tenant(count))).findings
        found = await ordering.stored(settings, "beta")
        in_use = tell(found.spec, found.offers, today).states[-1].in_use
        known.append((in_use["extensions"], len(await facts(settings))))
    assert known == [(9, 3), (10, 4), (10, 4), (10, 4), (10, 4)]


@pytest.mark.parametrize("quoted_before", [False, True])
async def test_an_order_dated_back_takes_nothing_away_that_is_in_use_today(
    settings: Settings, *, quoted_before: bool
) -> None:
    """Its day is past, and so is that of its change: more may be ordered, less only if it is unused."""
    signed = CONTRACT.replace("size: '5', edition: classic", "size: '10', edition: pro")
    await put(settings, catalogue=GATED, account=ACCOUNT, contract=signed, tenant=tenant(5))
    day, wanted = datetime.now(ZONE).date() - timedelta(days=70), {"size": "5", "edition": "classic"}
    less = await ordering.ask(settings, "beta", {"choose": wanted}, day=day, author="test")
    assert not less.refused
    await put(settings, tenant=tenant(8, groups=True))
    known = await facts(settings), await entries(settings)
    if quoted_before:
        done = await ordering.order(settings, "beta", less.id, day=day, author="test")
        assert (done.outcome, done.answer is not None) == ("refused", True)
        refusals = done.answer.refusals if done.answer is not None else ()
    else:
        again = await ordering.ask(settings, "beta", {"choose": wanted}, day=day, author="test")
        assert again.id == ""
        refusals = again.plan.refusals
    assert [one.message for one in refusals] == [
        "8 extensions are in use, and 5 would be allowed",
        "8 devices are in use, and 5 would be allowed",
        "groups is in use and would be lost",
    ]
    assert (await facts(settings), await entries(settings)) == known
    more = await ordering.ask(settings, "beta", {"choose": {"size": "20"}}, day=day, author="test")
    done = await ordering.order(settings, "beta", more.id, day=day, author="test")
    assert done.outcome == "accepted"


@pytest.mark.parametrize("clock", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_today_is_of_the_accounts_clock(settings: Settings, command: Command, clock: str) -> None:
    """26 hours lie between the two: the machine's day is that of one of them at most."""
    account = ACCOUNT.replace("Europe/Berlin", clock)
    asyncio.run(put(settings, catalogue=GATED, account=account, contract=CONTRACT))
    before = datetime.now(ZoneInfo(clock)).date()
    code, told = command("quote", "beta", "--choose", "size=10", "--json")
    assert code == 0, told
    code, told = command("order", "beta", "--quote", json.loads(told)["id"], "--json")
    assert code == 0, told
    (on,) = (one["on"] for one in asyncio.run(facts(settings)) if "order" in one)
    assert str(before) <= on <= str(datetime.now(ZoneInfo(clock)).date())


async def test_a_cancelled_contract_ends_what_it_included(under_contract: Settings) -> None:
    """The notice comes as an event of its document; the plans of its tenants know the end from then on."""
    today = datetime.now(ZONE).date()
    applied = await put(under_contract, contract=CONTRACT + f"  - {{on: {today}, cancel: {{}}}}\n")
    assert [(one.kind, one.changed) for one in applied.changes] == [("contract", True), ("tenant", True)]
    assert (await entries(under_contract))[-1]["features"] == []


ENDED = CONTRACT + "  - {on: 2025-01-02, cancel: {}}\n"


@pytest.mark.parametrize("contract", [CONTRACT, ENDED], ids=["came after", "has ended"])
async def test_what_gets_no_worse_is_not_refused(settings: Settings, contract: str) -> None:
    """Eight and a group, of five and none: neither the same, nor another name, nor fewer; one more is."""
    await put(settings, catalogue=GATED, account=ACCOUNT, tenant=tenant(8, groups=True))
    await put(settings, contract=contract)
    renamed = tenant(8, groups=True).replace("name: N3", "name: Ann")
    for text in (tenant(8, groups=True), renamed, tenant(7, groups=True), tenant(7)):
        assert not (await put(settings, tenant=text)).findings
    assert {code for *_, code in codes(await put(settings, tenant=tenant(8, groups=True)))} == {
        "not-entitled",
        "too-many-devices",
        "too-many-extensions",
    }


async def test_what_moves_between_tenants_of_an_account_gets_no_worse(settings: Settings) -> None:
    """They are counted together: what one gives up another may have, and no more than that."""
    second = tenant(1, name="second")
    await put(settings, catalogue=GATED, account=ACCOUNT, tenant=tenant(7), second=second)
    await put(settings, contract=CONTRACT)
    refused = await put(settings, tenant=tenant(6), second=tenant(3, name="second"))
    assert {code for *_, code in codes(refused)} == {"too-many-devices", "too-many-extensions"}
    assert not (await put(settings, tenant=tenant(6), second=tenant(2, name="second"))).findings


async def test_an_unchanged_document_holds_up_no_other(under_contract: Settings) -> None:
    """A folder with a tenant whose contract has ended is applied: the tenant of another account is there."""
    await put(under_contract, contract=ENDED)
    account = ACCOUNT.replace("beta", "gamma")
    gamma = tenant(1, name="gamma").replace("account: beta", "account: gamma")
    applied = await put(under_contract, account=account, tenant=tenant(5), gamma=gamma)
    assert [(one.id, one.changed) for one in applied.changes] == [
        ("gamma", True), ("beta", False), ("gamma", True)
    ]  # fmt: skip


async def store(settings: Settings, name: str, beside: str) -> None:
    """Store a tenant as another version of the program would: beta's document, and something beside."""
    query = (
        "INSERT INTO revision (kind, id, revision, document, source, author) "
        "SELECT kind, $1, 1, document || $2::text::jsonb, source, 'other' "
        "FROM revision WHERE kind = 'tenant' AND id = 'beta' AND revision = 1"
    )
    connection = await database.connect(database.url_of(settings), application="test")
    try:
        await connection.execute(query, name, beside)
    finally:
        await connection.close()


async def test_a_tenant_that_cannot_be_read_holds_nobody_else_back(under_contract: Settings) -> None:
    """A later version stored it: its five extensions count; the account may be changed, and ordered for."""
    await store(under_contract, "delta", '{"future": 1, "tenant": "delta"}')
    refused = await put(under_contract, tenant=tenant(6))
    assert {code for *_, code in codes(refused)} == {"too-many-devices", "too-many-extensions"}
    today = datetime.now(ZONE).date()
    quote = await ask(under_contract, {"choose": {"size": "20"}})
    done = await ordering.order(under_contract, "beta", quote, day=today, author="test")
    assert [one.id for one in done.applied.changes] == ["beta", "delta"]
    assert not (await put(under_contract, tenant=tenant(4))).findings
    assert (await facts(under_contract))[-1]["use"] == {"counts": {"extensions": 9, "devices": 9}}


async def test_a_tenant_that_cannot_be_counted_is_named(under_contract: Settings) -> None:
    """Nothing that its contract limits is changed meanwhile, but its own document, which mends it."""
    await store(under_contract, "delta", '{"extensions": 7, "tenant": "delta"}')
    (finding,) = (await put(under_contract, tenant=tenant(4))).findings
    assert finding.finding.code == "uncounted-tenant"
    assert "delta" in finding.finding.message
    assert not (await put(under_contract, tenant=tenant(1), delta=tenant(1, name="delta"))).findings


def test_the_command_offers_and_orders(under_contract: Settings, command: Command) -> None:
    """`apply` shows the offer and the button's words, `--order` takes it, `diff` says nothing changes."""
    file = under_contract.state / "beta.yaml"
    file.write_text(tenant(6))
    code, told = command("apply", str(file))
    assert (code, "17.90 EUR" in told, "Order with obligation to pay" in told) == (1, True, True)
    code, told = command("apply", str(file), "--json")
    quote = json.loads(told)["offers"][0]["quote"]
    assert command("apply", str(file), "--order", quote["id"])[0] == 0
    assert command("diff", str(file))[0] == 0
    assert command("apply", str(under_contract.state), "--watch", "--order", quote["id"])[0] == 2
