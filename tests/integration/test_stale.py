"""A change made from an old revision is refused: nobody's change is lost under somebody else's."""

import asyncio
import json
from collections.abc import Callable, Mapping

import asyncpg
import pytest

from dialplan.decision import Ring
from pbxcore import door
from pbxcore.base import BaseError, Bases
from pbxcore.door import Applied
from pbxcore.settings import Settings
from tests.integration.examples import ACME, CONFIG, FIRST, OTHER, acme

NOTHING = '[{"since": "2020-01-01", "features": []}]'
OPERATORS = ("anna", "bruno")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The machine with the example in force."""
    folders = [CONFIG / name for name in FIRST]
    assert not asyncio.run(door.apply(settings, folders, author="first")).findings
    return settings


async def put(settings: Settings, *texts: str, author: str = "test", base: Bases = None) -> Applied:
    """Apply documents given as text."""
    paths = [settings.state / f"{author}-{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return await door.apply(settings, paths, author=author, base=base)


async def run(settings: Settings, statement: str, *values: object) -> None:
    """Change something in the database."""
    connection = await asyncpg.connect(settings.database)
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


async def fetch(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """Ask the database."""
    connection = await asyncpg.connect(settings.database)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


@pytest.mark.parametrize("in_the_file", [True, False])
async def test_a_change_from_an_old_revision_is_refused_with_both_sides(
    settings: Settings, *, in_the_file: bool
) -> None:
    """Who made the newer one, when, what they changed, what you change; nothing is stored."""
    assert not (await put(settings, acme(15), author="anna", base={"tenant/acme": 1})).stale
    text = acme(20)
    refused = await put(settings, f"# base: 1\n{text}" if in_the_file else text,
                        author="bruno", base=None if in_the_file else 1)  # fmt: skip
    (stale,) = refused.stale
    assert (refused.changes, refused.findings, refused.published) == ((), (), ())
    assert (stale.base, stale.current) == (1, 2)
    assert [(entry.revision, entry.author) for entry in stale.newer] == [(2, "anna")]
    (stored,) = await fetch(settings, "SELECT created_at FROM revision WHERE id = 'acme' AND revision = 2")
    assert stale.newer[0].created_at == stored[0]
    assert [line for line in stale.theirs.splitlines() if "timeout" in line] == [
        "-    timeout_s: 12",
        "+    timeout_s: 15",
    ]
    assert "+    timeout_s: 20" in stale.yours.splitlines()
    assert "timeout_s: 15" not in stale.yours
    newest = "SELECT max(revision) FROM revision WHERE id = 'acme' AND kind = 'tenant'"
    assert await fetch(settings, newest) == [(2,)]


async def test_a_refusal_says_what_both_sides_change_for_callers(settings: Settings) -> None:
    """Call by call from the base on: what others made of it, and what the refused change would."""
    await put(settings, acme(15), author="anna")
    (stale,) = (await put(settings, "# a word\n" + acme(12), base=0)).stale
    assert stale.callers
    assert {one.before for one in stale.callers.theirs.calls} == {None}, (
        "from a base without a plan all is new"
    )
    (stale,) = (await put(settings, acme(20), base=1)).stale
    assert stale.callers
    for side, seconds in ((stale.callers.theirs, 15), (stale.callers.yours, 20)):
        rings = {
            (one.caller, step.timeout_s)
            for one in side.calls if one.after
            for step in one.after.steps if isinstance(step, Ring)
        }  # fmt: skip
        assert ("trunk-carrier", seconds) in rings
    assert not stale.callers.yours.holds


async def test_what_a_contract_changed_meanwhile_is_not_told_as_yours(settings: Settings) -> None:
    """Others ordered less: that changes calls, but none of them by the document that is refused."""
    await put(settings, acme(15), author="anna")
    await run(settings, "UPDATE revision SET entitlements = $1 WHERE revision = 2", NOTHING)
    (stale,) = (await put(settings, ACME.replace("name: Acme Maschinenbau GmbH", "name: Acme"), base=1)).stale
    assert stale.callers
    assert stale.callers.theirs.calls
    assert not stale.callers.yours


@pytest.mark.parametrize("base", [0, 9])
async def test_without_a_base_yours_is_what_you_change_of_what_is_in_force(
    settings: Settings, base: int
) -> None:
    """No revision that both began with: not all of the document is told as yours, nor every call."""
    (stale,) = (await put(settings, acme(20), base=base)).stale
    changed = [line for line in stale.yours.splitlines()[2:] if line[:1] in "+-"]
    assert changed == ["-    timeout_s: 12", "+    timeout_s: 20"]
    assert stale.callers
    assert {one.before is None for one in stale.callers.yours.calls} == {False}
    assert bool(stale.theirs) is bool(stale.callers.theirs) is (base == 0)


async def test_a_base_with_a_number_that_moved_on_is_compared_by_itself(settings: Settings) -> None:
    """Another tenant has today what the base had: the refusal is told all the same."""
    number, another = "+493055500111", "+493055500112"
    assert not (await put(settings, ACME.replace(number, another))).findings
    assert not (await put(settings, OTHER.replace("+493055500191", number))).findings
    (stale,) = (await put(settings, acme(20).replace(number, another), base=1)).stale
    assert stale.callers
    assert {number, another} <= {one.dialled for one in stale.callers.yours.calls}


@pytest.mark.parametrize(
    ("base", "refused"),
    [(0, True), (1, True), (9, True), ({"tenant/acme": 1}, True), (2, False), (None, False)],
)
async def test_only_the_revision_in_force_is_a_base(
    settings: Settings, base: Bases, *, refused: bool
) -> None:
    """An older one, none yet, one that never was: refused. No base replaces whatever is in force."""
    await put(settings, acme(15))
    assert bool((await put(settings, acme(20), base=base)).stale) is refused


async def test_the_newer_of_two_bases_counts(settings: Settings) -> None:
    """A file knows what it was exported from, its caller what came of it since."""
    await put(settings, acme(15))
    assert not (await put(settings, f"# base: 1\n{acme(20)}", base=2)).stale
    assert not (await put(settings, f"# base: 3\n{acme(25)}", base=2)).stale


async def test_sending_the_same_again_is_no_conflict(settings: Settings) -> None:
    """Whoever did not hear the answer may ask again."""
    first = await put(settings, acme(15), base=1)
    again = await put(settings, acme(15), base=1)
    assert [change.changed for change in (*first.changes, *again.changes)] == [True, False]


async def test_one_stale_document_holds_back_all_of_a_change(settings: Settings) -> None:
    """Of two tenants in one go neither is stored when one of them has moved on."""
    await put(settings, acme(15))
    refused = await put(settings, acme(20), OTHER, base={"tenant/acme": 1, "tenant/other": 0})
    assert [stale.id for stale in refused.stale] == ["acme"]
    assert await fetch(settings, "SELECT 1 FROM revision WHERE id = 'other'") == []


@pytest.mark.parametrize("base", [{"tenant/nobody": 1}, {"acme": 1}])
async def test_a_base_of_nothing_is_a_mistake(settings: Settings, base: Mapping[str, int]) -> None:
    """A slip in a name never turns the guard off."""
    with pytest.raises(BaseError):
        await put(settings, acme(15), base=base)


async def test_of_two_operators_at_once_one_wins_and_the_other_knows(settings: Settings) -> None:
    """Both wait at the door at the same instant; the loser is shown the winner's change."""
    key = "hashtext('pbxcore door')"
    holder = await asyncpg.connect(settings.database)
    await holder.execute(f"SELECT pg_advisory_lock({key})")
    racing = [
        asyncio.create_task(put(settings, acme(20 + n), author=name, base=1))
        for n, name in enumerate(OPERATORS)
    ]
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(60):
        while (await holder.fetchval(waiting)) < len(OPERATORS):
            pass
    await holder.close()
    outcomes = dict(zip(OPERATORS, await asyncio.gather(*racing), strict=True))
    (winner,) = [name for name, applied in outcomes.items() if applied.changes]
    (loser,) = [name for name, applied in outcomes.items() if applied.stale]
    assert [entry.author for entry in outcomes[loser].stale[0].newer] == [winner]
    assert f"timeout_s: {20 + OPERATORS.index(winner)}" in outcomes[loser].stale[0].theirs
    stored = await fetch(
        settings, "SELECT revision, author FROM revision WHERE id = 'acme' AND kind = 'tenant' ORDER BY 1"
    )
    assert stored == [(1, "first"), (2, winner)]


async def test_instants_have_the_order_of_revisions(settings: Settings) -> None:
    """A change that waited at the door has the instant of its turn, and its numbers begin then."""
    await asyncio.gather(*(put(settings, acme(30 + n), author=f"a{n}") for n in range(5)))
    made = await fetch(
        settings, "SELECT revision FROM revision WHERE id = 'acme' AND kind = 'tenant' ORDER BY created_at"
    )
    assert made == [(n,) for n in range(1, 7)]


def test_an_exported_document_carries_its_base(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Export, change, apply: the second who does so is told, and starts again from a new export."""
    mine, theirs = settings.state / "mine.yaml", settings.state / "theirs.yaml"
    for file in (mine, theirs):
        code, text = command("export", "acme")
        assert (code, text.splitlines()[0]) == (0, "# base: 1")
        file.write_text(text)
    theirs.write_text(theirs.read_text().replace("timeout_s: 12", "timeout_s: 15"))
    mine.write_text(mine.read_text().replace("timeout_s: 12", "timeout_s: 20"))
    assert command("apply", str(theirs), "--author", "anna")[0] == 0
    code, text = command("apply", str(mine), "--author", "bruno")
    assert code == 1
    assert "revision 2 by anna" in text
    assert "+    timeout_s: 15" in text
    assert "+    timeout_s: 20" in text
    code, text = command("apply", str(mine), "--json")
    (stale,) = json.loads(text)["stale"]
    assert (code, stale["newer"][0]["author"]) == (1, "anna")
    ways = {side: {one["after"] for one in stale["callers"][side]} for side in ("theirs", "yours")}
    assert any("15 s" in way for way in ways["theirs"])
    assert any("20 s" in way for way in ways["yours"])
    assert not any("20 s" in way for way in ways["theirs"])
    again = command("export", "acme")[1]
    assert again.startswith("# base: 2\n")
    assert again.count("# base:") == 1
    mine.write_text(again.replace("timeout_s: 15", "timeout_s: 20"))
    assert command("apply", str(mine))[0] == 0


def test_a_rollback_goes_by_its_base_and_not_by_the_old_one(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """What an old document was made from does not keep it from coming back; what you looked at does."""
    file = settings.state / "acme.yaml"
    for base, seconds in ((1, 15), (2, 20)):
        file.write_text(f"# base: {base}\n{acme(seconds)}")
        assert command("apply", str(file))[0] == 0
    assert command("rollback", "acme", "--to", "2", "--base", "2")[0] == 1
    assert command("rollback", "acme", "--to", "2", "--base", "3")[0] == 0
    assert "timeout_s: 15" in command("export", "acme")[1]


@pytest.mark.parametrize(
    ("given", "code"),
    [(["--base", "x"], 2), (["--base", "1", "--base", "2"], 2), (["--base", "nobody=1"], 2),
     (["--base", "7"], 1), (["--base", "acme=7"], 1), (["--base", "tenant/acme=1"], 0)],
)  # fmt: skip
def test_a_base_on_the_command_line(
    settings: Settings, command: Callable[..., tuple[int, str]], given: list[str], code: int
) -> None:
    """A number for one document, a name and a number for several; anything else is a wrong command line."""
    file = settings.state / "acme.yaml"
    file.write_text(acme(15))
    assert command("apply", str(file), *given)[0] == code


CATALOGUE = "`pbxcore export autphone@2026-01-01 --kind catalogue`"
ACCOUNT = "an account: `pbxcore export acme --kind account`"


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("export", "acmee"), 1, "did you mean acme?"),
        (("export", "nothing", "--kind", "account"), 1, "→ there are "),
        (("export", "nothing", "--kind", "catalogue"), 1, "→ there are accensys@2026-01-01, autphone@"),
        (("export", "nothing"), 1, "pbxcore tenants"),
        (("export", "autphone", "--kind", "catalogue"), 1, f"a catalogue, named with its date: {CATALOGUE}"),
        (("export", "autphone"), 1, f"autphone is a catalogue, named with its date: {CATALOGUE}"),
        (("export", "autphone@2026-01-01"), 1, f"autphone@2026-01-01 is a catalogue: {CATALOGUE}"),
        (("export", "acme", "--kind", "catalogue"), 1, f"is a tenant: `pbxcore export acme`; {ACCOUNT}"),
        (("export", "c-7"), 1, "c-7 is a contract: `pbxcore contract show c-7`"),
        (("export", "acme", "--kind", "contract"), 2, "`pbxcore contract show acme`"),
        (("rollback", "acme", "--to", "1", "--kind", "contract"), 2, "`pbxcore history acme`"),
        (
            ("rollback", "autphone", "--to", "1"),
            1,
            "`pbxcore rollback autphone@2026-01-01 --to 1 --kind catalogue`",
        ),
        (("export", "acme", "--kind", "tenent"), 2, "did you mean tenant?"),
        (("export", "acme", "--revision", "9"), 1, "no revision 9 of tenant acme"),
        (("history", "acmee"), 1, "did you mean acme?"),
        (("history", "autphone"), 1, "`pbxcore history autphone@2026-01-01`"),
        (("rollback", "acmee", "--to", "1"), 1, "did you mean acme?"),
    ],
)
def test_a_slip_in_a_name_is_told_with_the_name_that_was_meant(
    settings: Settings,
    command: Callable[..., tuple[int, str]],
    arguments: tuple[str, ...],
    code: int,
    word: str,
) -> None:
    """What is stored is known, so the remedy names it, with the command for its kind."""
    asyncio.run(run(settings, "INSERT INTO contract VALUES ('c-7', NULL, '{}', 'test')"))
    found, said = command(*arguments)
    assert (found, word in said) == (code, True), said


def test_what_a_document_replaces_is_said(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """With or without a base the answer names what changed and whose revision was replaced.

    Without one its author may not know of somebody else's: then it says how that comes back.
    """
    file = settings.state / "acme.yaml"
    file.write_text(acme(15))
    code, said = command("apply", str(file), "--author", "anna", "--base", "1")
    assert (code, "named no base" in said, "replaced revision 1" in said) == (0, False, True), said
    file.write_text(acme(16))
    code, said = command("apply", str(file), "--author", "anna")
    assert (code, "named no base" in said) == (0, False), "her own"
    assert "tenant acme: groups.sales\n  replaced revision 2 by anna of" in said
    file.write_text(acme(20))
    code, said = command("apply", str(file), "--author", "bruno")
    assert (code, "named no base: it replaced revision 3 by anna" in said) == (0, True), said
    assert "pbxcore rollback acme --to 3" in said
    file.write_text(acme(25))
    code, said = command("apply", str(file), "--author", "anna", "--json")
    (change,) = json.loads(said)["changes"]
    assert (change["replaces"]["author"], change["what"], change["unseen"]) == ("bruno", "groups.sales", True)
    (change,) = json.loads(command("apply", str(file), "--author", "anna", "--json")[1])["changes"]
    assert (change["replaces"], change["what"]) == (None, ""), "it changed nothing"


def test_a_history_says_what_each_revision_changed(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """By key, a few of many, and which earlier one said the same; no row is without a word."""
    file = settings.state / "acme.yaml"
    anna = acme(15).replace("Anna Albrecht", "Anna Berger")
    many = acme(20).replace("after_s: 25", "after_s: 20").replace("after_s: 20", "after_s: 15")
    many = many.replace("GmbH", "AG").replace("Berlin", "Vienna").replace("[DE]", "[AT]")
    for text in (acme(15), anna, acme(15), many):
        file.write_text(text)
        assert command("apply", str(file), "--author", "anna")[0] == 0
    found = json.loads(command("history", "acme", "--json")[1])
    assert all(one["what"] for one in found)
    said = {one["revision"]: one["what"] for one in found if one["kind"] == "tenant"}
    assert said == {
        1: "first revision",
        2: "groups.sales",
        3: "extensions.10",
        4: "as revision 2 again: extensions.10",
        5: "extensions.10, extensions.11, groups.sales, name and 2 more",
    }
