"""An operator closes months and rates again from the command line, on a real PostgreSQL."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.closing import Closing
from pbxcore.database import Connection
from pbxcore.practice.records import records
from pbxcore.rater.book import load_book
from pbxcore.rater.writer import Writer
from rating.leg import Leg
from rating.periods import from_iso
from rating.rated import Quarantine, Quarantined
from rating.store import closing, ledger
from tests.integration.ended_legs import (
    CALLS,
    CONFIG,
    DESTINATIONS,
    FEBRUARY,
    LEGS,
    MARCH,
    NOW_US,
    WORLD,
    document,
    entries_of,
    put,
    shuffled,
    state,
    take_in,
)

AUTPHONE = document("catalogues/autphone.yaml")
NEWER = {"future": 1}  # a key of a later version of this program


@pytest.fixture
def command(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command against the database; give exit code and output."""
    for name, value in (("DATABASE", database), ("STATE", str(tmp_path)), ("CONFIG", str(CONFIG))):
        monkeypatch.setenv(f"PBXCORE_{name}", value)

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
        return result.exit_code, result.output

    return run


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("close", "2026-02"), 2, "name accounts, or say --all"),
        (("close", "--all", "acme", "2026-02"), 2, "name accounts, or say --all"),
        (("close", "acme", "february"), 2, "february is no month"),
        (("close", "acme", "2026-13"), 2, "2026-13 is no month"),
        (("close", "nobody", "2026-02"), 1, "nobody: there is no document of this account"),
        (("close", "acme", "2199-02"), 1, "acme: the month is not over"),
        (("close", "acmee", "2026-02"), 1, "did you mean acme?"),
        (("rerate", "amce"), 1, "did you mean acme?"),
        (("rerate",), 2, "name accounts, or say --all"),
        (("rerate", "nobody"), 1, "nobody: there is no document of this account"),
    ],
)
async def test_a_command_that_asks_the_impossible_says_so(
    connection: Connection,
    command: Callable[..., tuple[int, str]],
    words: Sequence[str],
    code: int,
    said: str,
) -> None:
    """With an exit code for scripts and a remedy for people."""
    del connection  # the documents are there
    found, output = await asyncio.to_thread(command, *words)
    assert (found, said in output, "→" in output) == (code, True, True), output


async def test_an_operator_closes_a_month(
    connection: Connection, writer: Writer, command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """Sums, corrections, and what comes late: a leg in the spool, one in quarantine, one of nobody."""
    *early, late = sorted(LEGS, key=lambda leg: leg.ended_us)
    early_february = [leg for leg in early if leg.ended_us < from_iso("2026-03-01T00:00:00+01:00")]
    missed, *taken = shuffled(early_february)
    await take_in(writer, [*taken, late])
    spool = tmp_path / "asterisk/log/cel-custom"
    spool.mkdir(parents=True)
    channel = missed.key
    (spool / "legs.tsv").write_text("".join(line for line in records(CALLS, WORLD) if channel in line))
    for key, payer in (("q-1", "acme/10"), ("q-2", "")):
        leg = Leg(
            **{name: getattr(missed, name) for name in ("linkedid", "trunk", "why", "number")},
            key=key,
            payer=payer,
            answered_us=missed.answered_us,
            ended_us=missed.ended_us,
        )
        why = Quarantined(key=key, reason=Quarantine.INDETERMINATE, detail="")
        await ledger.write_quarantined(connection, [why], {key: leg})
    code, output = await asyncio.to_thread(command, "close", "--all", "2026-02", "--json")
    answer = json.loads(output)
    (account,) = answer["accounts"]
    assert (code, account["account"], account["closed"]) == (0, "acme", True)
    assert (account["late"], answer["of_nobody"]) == ({"in_spool": 1, "in_quarantine": 1}, 1)
    assert account["bills"][0]["legs"] == len(taken)
    assert {(one["bundle"], one["until"]) for one in account["kept"]} >= {("dach", "2026-03-31")}
    assert account["corrections"]
    code, output = await asyncio.to_thread(command, "close", "acme", "2026-02")
    assert (code, "closed on" in output, "1 in quarantine come late" in output) == (0, True, True), output
    key = account["corrections"][0]["key"]
    code, output = await asyncio.to_thread(command, "explain", key)
    assert (code, "Correction 1 of the leg" in output, "As it stands:" in output) == (0, True, True), output
    code, output = await asyncio.to_thread(command, "explain", key, "--json")
    (correction,) = json.loads(output)["legs"][0]["corrections"]
    assert (correction["type"], correction["correction"]) == ("correction", 1)
    assert correction["amount"] == f"{correction['amount_micro'] / 1_000_000:.6f}"


async def test_an_operator_reads_what_a_close_would_do(
    connection: Connection, writer: Writer, command: Callable[..., tuple[int, str]]
) -> None:
    """The same figures as of the close itself, each leg that is corrected, and that nothing was written."""
    await take_in(writer, shuffled())
    before = await state(connection)
    code, output = await asyncio.to_thread(command, "close", "acme", "2026-02", "--preview")
    assert (code, await state(connection)) == (0, before)
    assert "acme: these would be corrected" in output
    assert "nothing was written; without --preview" in output
    said = json.loads(
        (await asyncio.to_thread(command, "close", "acme", "2026-02", "--preview", "--json"))[1]
    )
    done = json.loads((await asyncio.to_thread(command, "close", "acme", "2026-02", "--json"))[1])
    assert (said.pop("preview"), done.pop("preview")) == (True, False)
    for answer in (said, done):
        (account,) = answer["accounts"]
        assert account.pop("closed") is (answer is done)
        del account["position"]
    assert said == done


@pytest.mark.parametrize("preview", [(), ("--preview",)])
async def test_a_month_before_that_is_open_is_named_with_the_command_that_closes_it(
    connection: Connection, writer: Writer, command: Callable[..., tuple[int, str]], preview: Sequence[str]
) -> None:
    """And what would only matter afterwards, a leg without a price, is not told yet."""
    await take_in(writer, shuffled())
    offer = {**AUTPHONE, "rates": [row for row in AUTPHONE["rates"] if row["zone"] != "AT-CH"]}
    await put(connection, "catalogue", "autphone@2026-01-01", offer)
    code, output = await asyncio.to_thread(command, "close", "acme", "2026-03", *preview)
    assert (code, "acme: 2026-02, a month before it, is open" in output) == (1, True), output
    assert "close that first: `pbxcore close acme 2026-02`" in output
    assert "has no price for" not in output
    code, output = await asyncio.to_thread(command, "close", "acme", "2026-02", *preview)
    assert (code, "has no price for" in output, "mend the catalogue" in output) == (1, True, True), output


async def test_an_account_that_cannot_be_closed_holds_up_no_other(
    connection: Connection, command: Callable[..., tuple[int, str]]
) -> None:
    """Its catalogue cannot be read: it is named with what to do; the other one's month is closed."""
    other = {**document("accounts/acme.yaml"), "account": "zeta", "catalogue": "other"}
    await put(connection, "account", "zeta", other)
    await put(connection, "catalogue", "other@2026-01-01", {**AUTPHONE, "catalogue": "other"})
    await put(connection, "catalogue", "autphone@2026-01-01", {**AUTPHONE, **NEWER})
    code, output = await asyncio.to_thread(command, "close", "--all", "2026-02")
    assert (code, "acme: what its catalogue grants is not known" in output) == (1, True), output
    assert "catalogue autphone is not there, or has a version that cannot be read" in output
    assert "→ apply a mended catalogue" in output
    assert await ledger.first_open(connection, ["acme", "zeta"]) == {"zeta": MARCH}
    code, output = await asyncio.to_thread(command, "rerate", "--all", "--json")
    told = {
        one["account"]: one["obstacle"] for one in json.loads(output[: output.rindex("}") + 1])["accounts"]
    }
    assert (code, told) == (1, {"acme": "not-known", "zeta": None})


async def test_an_operator_rates_again(
    connection: Connection, writer: Writer, command: Callable[..., tuple[int, str]]
) -> None:
    """A dry run shows what changes, for whom and by how much; only --confirm writes."""
    await take_in(writer, shuffled())
    code, output = await asyncio.to_thread(command, "rerate", "--all")
    assert (code, "open legs differ" in output, "with --confirm" in output) == (0, True, True), output
    assert len(await entries_of(connection)) == len(LEGS)
    code, output = await asyncio.to_thread(command, "rerate", "acme", "--confirm", "--json")
    answer = json.loads(output)
    assert (code, answer["written"]) == (0, True)
    entries = await entries_of(connection)
    assert len(entries) - len(LEGS) == len(answer["accounts"][0]["corrections"]) > 0
    code, output = await asyncio.to_thread(command, "rerate", "acme", "--confirm")
    assert (code, "0 of" in output) == (0, True), output
    assert await entries_of(connection) == entries


async def test_an_account_moves_to_another_catalogue_on_a_day(
    connection: Connection, writer: Writer, command: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """Without a day its open calls would be priced anew: refused. With one, what was called before stays."""
    await take_in(writer, LEGS)
    await Closing(connection, writer.index.book).rerate("acme", confirm=True)
    before = await closing.bill(connection, "acme", FEBRUARY)
    shipped = json.loads(json.dumps(document("accounts/acme.yaml"), default=str))
    file, offered = tmp_path / "acme.yaml", yaml.safe_load((CONFIG / "catalogues/cloudpbx.yaml").read_text())
    await put(connection, "catalogue", "cloudpbx@2026-01-01", offered)

    def applied(**said: object) -> tuple[int, str]:
        file.write_text(json.dumps({**shipped, **said}))
        return command("apply", str(file))

    code, told = await asyncio.to_thread(applied, catalogue="cloudpbx", bundles=[])
    assert (code, "catalogue-undated" in told, "moves: [{catalogue: cloudpbx" in told) == (1, True, True)
    ended = [{**one, "until": "2026-02-28"} for one in shipped["bundles"]]
    move = {"catalogue": "cloudpbx", "from": "2026-03-01"}
    code, told = await asyncio.to_thread(applied, moves=[move], bundles=ended)
    assert code == 0, told
    closer = Closing(connection, await load_book(connection, DESTINATIONS))
    changes = await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert (changes.obstacle, await closing.bill(connection, "acme", FEBRUARY)) == (None, before)
    code, told = await asyncio.to_thread(applied, bundles=ended)  # taken back, and calls of March stand
    assert (code, "catalogue-undated" in told) == (1, True)
