"""Closing a month and rating again on a real PostgreSQL, beside a rater that goes on."""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from pbxcore.closing import Changes, Closing
from pbxcore.database import Connection, connect
from pbxcore.practice.records import records
from pbxcore.rater import serve
from pbxcore.rater.book import load_book
from pbxcore.rater.pricing import FEW, price, rate_again
from pbxcore.rater.writer import Writer
from pbxcore.settings import Settings
from rating.closing import Months, Rerating
from rating.columns import Index
from rating.periods import from_iso
from rating.rate import rate
from rating.store import closing, ledger
from rating.store.closing import Obstacle, OpenLegs, Seal
from rating.store.rows import COLUMNS, line_of, rated_leg_of, row_of
from tests.integration.ended_legs import (
    CALLS,
    CONFIG,
    DESTINATIONS,
    FEBRUARY,
    JANUARY,
    LEGS,
    MARCH,
    NOW_US,
    WORLD,
    a_writer,
    as_they_stand,
    document,
    drawn,
    entries_of,
    put,
    same_as_a_clean_run,
    shuffled,
    state,
    take_in,
)


async def test_a_closed_month_is_that_of_a_clean_run(
    connection: Connection, writer: Writer, closer: Closing
) -> None:
    """Legs in any order, then a close: each is charged and draws as in canonical order, and so are sums."""
    await take_in(writer, shuffled())
    found = await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert (found.obstacle, found.legs) == (None, len(LEGS))
    assert len(found.changed) > 20
    await same_as_a_clean_run(connection, writer.index.book)
    entries = await entries_of(connection)
    corrections = entries[len(LEGS) :]
    originals = {entry.leg.key: entry for entry in entries[: len(LEGS)]}
    assert len(corrections) == len(found.changed)
    for entry in corrections:
        original = originals[entry.leg.key]
        assert (entry.corrects, entry.correction, entry.month) == (original.position, 1, original.month)
    bills = await closing.bill(connection, "acme", FEBRUARY)
    assert [(one.currency, one.amount_micro) for one in bills] == [
        ("EUR", sum(entry.leg.amount_micro for entry in entries if entry.month == FEBRUARY))
    ]


async def test_pieces_are_read_to_the_letter_as_they_were_written(
    connection: Connection, writer: Writer
) -> None:
    """Text is compared, so that nothing must be parsed: by either way of writing it."""
    for legs in (LEGS[:3], LEGS[3:]):
        await take_in(writer, legs)
    rows = await connection.fetch("SELECT * FROM rated_leg ORDER BY position")
    assert len(rows) > FEW
    written = [row_of(row["position"], rated_leg_of(dict(row)), row["billing_month"]) for row in rows]
    assert [tuple(row[name] for name in COLUMNS) for row in rows] == written
    index, book = Index(writer.index.book, writer.index.numbers), writer.index.book
    priced = price(LEGS, index, {}, Months(book, {}))
    assert list(priced.lines) == [line_of(rated_leg_of(dict(row)), row["billing_month"]) for row in rows]


async def test_what_separates_cells_is_written_as_it_is(connection: Connection, writer: Writer) -> None:
    """Signs by which COPY knows the end of a cell or a line, or an empty one, come back: by either way."""
    signs = cycle(("tab\t", "line\n", "\r", "\\", "\\t", "\\N", "\\.", "ä€"))
    legs = [
        replace(leg, key=f"{sign}{leg.key}", linkedid=sign, payer=f"{leg.payer}{sign}")
        for leg, sign in zip(LEGS, signs, strict=False)
    ]
    for some in (legs[:9], legs[9:]):
        await take_in(writer, some)
    told = [entry.leg for entry in await entries_of(connection)]
    written = [(leg.key, leg.linkedid, leg.payer) for leg in told]
    assert written == [(leg.key, leg.linkedid, leg.payer) for leg in legs]


async def test_closing_again_changes_nothing(connection: Connection, writer: Writer, closer: Closing) -> None:
    """The first close holds; replay and shuffle behind it add no row."""
    await take_in(writer, shuffled())
    await closer.close("acme", FEBRUARY, now_us=NOW_US, by="first")
    before = await state(connection)
    for seed in (2, 3, 4):
        await take_in(writer, shuffled(seed=seed))
        found = await closer.close("acme", FEBRUARY, now_us=NOW_US, by="second")
        assert (found.obstacle, found.changed) == (Obstacle.CLOSED, [])
    assert await state(connection) == before
    closed = await closing.closed(connection, "acme", FEBRUARY)
    assert closed is not None
    assert (closed.by, closed.month) == ("first", FEBRUARY)


async def test_the_same_writer_goes_on_with_what_the_close_left(
    connection: Connection, writer: Writer, closer: Closing
) -> None:
    """It finds other balances and a closed month: late legs go to March and draw what is left."""
    late, early = shuffled()[:40], shuffled()[40:]
    await take_in(writer, early)
    await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    before = await closing.bill(connection, "acme", FEBRUARY)
    await take_in(writer, late)
    entries = await entries_of(connection)
    assert {entry.month for entry in entries if entry.leg.key in {leg.key for leg in late}} == {MARCH}
    assert drawn(entries) == await ledger.used(connection, ["acme"])
    assert await closing.bill(connection, "acme", FEBRUARY) == before
    await closer.close("acme", MARCH, now_us=NOW_US, by="test")
    assert await closing.bill(connection, "acme", FEBRUARY) == before
    entries = await entries_of(connection)
    assert drawn(entries) == await ledger.used(connection, ["acme"])
    assert {entry.leg.key for entry in entries} == {leg.key for leg in LEGS}


async def test_what_a_month_leaves_over_is_kept_by_its_close(
    connection: Connection, writer: Writer, closer: Closing
) -> None:
    """What its own legs had left, though March has drawn from it, whatever documents and legs come later."""
    late, early = shuffled()[:40], shuffled()[40:]
    account, book = document("accounts/acme.yaml"), writer.index.book
    february = [leg for leg in early if leg.ended_us < from_iso("2026-03-01T00:00:00+01:00")]
    alone = rate(sorted(february, key=lambda leg: (leg.ended_us, leg.key)), book, {}).used
    pools = {kind: ("acme", f"dach/{kind}/2026-02-01") for kind in ("fixed", "mobile")}
    await take_in(writer, early)
    await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    (kept,) = [one for one in await closing.kept_by(connection, "acme", FEBRUARY) if one.period == FEBRUARY]
    held = {kind: book.granted_s(pool) for kind, pool in pools.items()}
    assert (kept.fixed_s, kept.mobile_s, kept.until) == (held["fixed"], held["mobile"], date(2026, 3, 31))
    assert kept.fixed_left_s == held["fixed"] - alone.get(pools["fixed"], 0) > 0
    assert kept.mobile_left_s == held["mobile"] - alone.get(pools["mobile"], 0)
    assert (await ledger.used(connection, ["acme"]))[pools["fixed"]] > alone.get(pools["fixed"], 0), (
        "March drew, too"
    )
    for booking in account["bundles"]:
        booking["size"] = "L"
    await put(connection, "account", "acme", account)
    later = await load_book(connection, DESTINATIONS)
    assert {kind: later.granted_s(pool) for kind, pool in pools.items()} == held
    writer.index = Index(later, writer.index.numbers)
    await take_in(writer, late)
    await Closing(connection, later).close("acme", MARCH, now_us=NOW_US, by="test")
    assert kept in await closing.kept_by(connection, "acme", FEBRUARY)
    used = await ledger.used(connection, ["acme"])
    assert used == drawn(await entries_of(connection))
    assert all(used.get(pool, 0) <= held[kind] for kind, pool in pools.items())


@pytest.mark.parametrize("payment", ["postpaid", "prepaid"])
@pytest.mark.parametrize("seed", range(4))
async def test_a_close_does_what_its_preview_said(
    connection: Connection, database: str, seed: int, payment: str
) -> None:
    """To the figure, whatever has come in which order by then; and a preview writes nothing."""
    await put(connection, "account", "acme", {**document("accounts/acme.yaml"), "payment": payment})
    legs = shuffled(seed=seed)
    early, late = legs[: len(legs) - 60 * seed], legs[len(legs) - 60 * seed :]
    async with a_writer(database, connection) as writer:
        for some, month in ((early, FEBRUARY), (late, FEBRUARY), ([], MARCH), ([], MARCH)):
            await take_in(writer, some)
            closer = Closing(connection, await load_book(connection, DESTINATIONS))
            before = await state(connection)
            said = await closer.preview(month=month, account="acme", now_us=NOW_US, unread_legs=legs[:9])
            assert await state(connection) == before
            changes = await closer.close("acme", month, now_us=NOW_US, by="test")
            done = await closer.bill(changes, month, legs[:9])
            assert said == (done if changes.obstacle else replace(done, closed=None))
            assert said.bills
            assert said.kept


@pytest.mark.parametrize(
    ("asked", "obstacle"),
    [
        (("nobody", FEBRUARY, NOW_US), Obstacle.UNKNOWN_ACCOUNT),
        (("acme", MARCH, NOW_US - 1), Obstacle.NOT_OVER),
        (("acme", MARCH, NOW_US), Obstacle.EARLIER_OPEN),
    ],
)
async def test_a_month_that_may_not_be_closed_is_refused(
    connection: Connection,
    writer: Writer,
    closer: Closing,
    asked: tuple[str, date, int],
    obstacle: Obstacle,
) -> None:
    """By name, and nothing is written."""
    await take_in(writer, shuffled())
    before = await state(connection)
    account, month, now_us = asked
    assert (await closer.close(account, month, now_us=now_us, by="test")).obstacle is obstacle
    assert await state(connection) == before


async def test_a_leg_that_lost_its_price_keeps_the_month_open(connection: Connection, writer: Writer) -> None:
    """It is named, and nothing is written: what others cost depends on it."""
    await take_in(writer, shuffled())
    offer = document("catalogues/autphone.yaml")
    offer["rates"] = [row for row in offer["rates"] if row["zone"] != "AT-CH"]
    await put(connection, "catalogue", "autphone@2026-01-01", offer)
    before = await state(connection)
    closer = Closing(connection, await load_book(connection, DESTINATIONS))
    found = await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert found.obstacle is Obstacle.UNPRICED
    assert "has no price for" in found.unpriced[0].detail
    assert await state(connection) == before


AUTPHONE = document("catalogues/autphone.yaml")
NEWER = {"future": 1}  # a key of a later version of this program


@pytest.mark.parametrize("payment", ["postpaid", "prepaid"])
@pytest.mark.parametrize(
    ("offer", "said"),
    [
        ({**AUTPHONE, **NEWER}, "catalogue autphone is not there, or has a version that cannot be read"),
        ({**AUTPHONE, **NEWER, "valid_from": "2026-02-01"}, "a version that cannot be read"),
        ({**AUTPHONE, "bundles": {}}, "autphone@2026-01-01 has no bundle dach in size S"),
    ],
    ids=["unreadable", "newer-version-unreadable", "lost-its-bundles"],
)
async def test_a_close_that_cannot_know_what_to_keep_is_refused(
    connection: Connection, offer: dict[str, Any], said: str, payment: str
) -> None:
    """Without a call, too: minutes that roll over would be gone for good. Mended, it closes and keeps."""
    account, name = document("accounts/acme.yaml"), f"autphone@{offer['valid_from']}"
    await put(connection, "account", "acme", {**account, "payment": payment})
    await put(connection, "catalogue", name, offer)
    before = await state(connection)
    broken = Closing(connection, await load_book(connection, DESTINATIONS))
    found = await broken.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert (found.obstacle, said in found.not_known) == (Obstacle.NOT_KNOWN, True), found.not_known
    assert await state(connection) == before
    await put(connection, "catalogue", name, {**AUTPHONE, "valid_from": offer["valid_from"]})
    mended = Closing(connection, await load_book(connection, DESTINATIONS))
    assert (await mended.close("acme", FEBRUARY, now_us=NOW_US, by="test")).obstacle is None
    assert FEBRUARY in {one.period for one in await closing.kept_by(connection, "acme", FEBRUARY)}
    found = await broken.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert found.obstacle is Obstacle.CLOSED, "what is closed is closed, whatever can be read"


async def test_nothing_is_rated_again_by_the_versions_that_can_be_read(
    connection: Connection, writer: Writer
) -> None:
    """The one in force cannot: an older one would charge wrongly, and as a correction."""
    await take_in(writer, shuffled())
    newer = {**AUTPHONE, **NEWER, "valid_from": "2026-02-01"}
    await put(connection, "catalogue", "autphone@2026-02-01", newer)
    before = await state(connection)
    closer = Closing(connection, await load_book(connection, DESTINATIONS))
    assert (await closer.rerate("acme", confirm=True)).obstacle is Obstacle.NOT_KNOWN
    assert await state(connection) == before


async def test_prepaid_is_closed_and_never_ordered_again(connection: Connection, writer: Writer) -> None:
    """What was debited stays, whatever the order."""
    await take_in(writer, shuffled())
    account = document("accounts/acme.yaml")
    await put(connection, "account", "acme", {**account, "payment": "prepaid"})
    closer = Closing(connection, await load_book(connection, DESTINATIONS))
    found = await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    assert (found.obstacle, found.changed) == (None, [])
    assert len(await entries_of(connection)) == len(LEGS)
    assert await ledger.first_open(connection, ["acme"]) == {"acme": MARCH}


async def test_legs_that_come_while_others_are_rated_again_are_rated_again_too(
    connection: Connection, writer: Writer
) -> None:
    """What came in between is seen under the lock; after some tries the rater waits."""
    arriving = shuffled()
    waves = [arriving[:30], arriving[30:60], arriving[60:90]]
    book, tries = writer.index.book, 0
    await take_in(writer, arriving[90:])

    def counted(legs: OpenLegs) -> Rerating:
        nonlocal tries
        tries += 1
        return rate_again(legs, book, writer.index.numbers)

    async def interrupted(held: ledger.Held) -> ledger.Held:
        if waves:
            await take_in(writer, waves.pop())
        return held

    original = closing._read

    async def slow(
        reading: Connection, account: str, rate: closing.Rate, held: ledger.Held
    ) -> closing.Reread:
        found = await original(reading, account, rate, held)
        await interrupted(held)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "_read", slow)
        found = await closing.write(connection, "acme", counted, Seal(month=FEBRUARY, by="test"))
    assert (tries, len(found.legs), found.obstacle(FEBRUARY)) == (closing.TRIES + 1, len(LEGS), None)
    await same_as_a_clean_run(connection, book)


async def test_two_who_close_at_once_close_once(
    database: str, connection: Connection, writer: Writer
) -> None:
    """One of them closes, the other finds it closed; nothing is corrected twice."""
    await take_in(writer, shuffled())
    other = await connect(database, application="other")
    book = writer.index.book
    both: list[Changes] = await asyncio.gather(
        *(Closing(one, book).close("acme", FEBRUARY, now_us=NOW_US, by="test") for one in (connection, other))
    )
    await other.close()
    assert sorted(str(one.obstacle) for one in both) == ["None", "closed"]
    await same_as_a_clean_run(connection, book)


async def test_a_rater_that_runs_meanwhile_loses_and_doubles_nothing(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    """Lines come in, months are closed again and again: every leg once, balances are the sum of the rows."""
    settings = Settings(state=tmp_path, config=CONFIG, database=database)
    settings.spool.mkdir(parents=True)
    lines = list(records(CALLS, WORLD))
    serving = asyncio.create_task(serve(settings))
    closer = Closing(connection, await load_book(connection, DESTINATIONS))
    for number in range(0, len(lines), 60):
        with (settings.spool / "legs.tsv").open("a", encoding="latin-1") as file:
            file.writelines(lines[number : number + 60])
        assert (await closer.close("acme", JANUARY, now_us=NOW_US, by="test")).obstacle in {
            None,
            Obstacle.CLOSED,
        }
        await closer.rerate("acme", confirm=True)
    async with asyncio.timeout(60):
        while len(as_they_stand(await entries_of(connection))) < len(LEGS):  # noqa: ASYNC110 — it happens elsewhere
            await asyncio.sleep(0.02)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")
    await same_as_a_clean_run(connection, await load_book(connection, DESTINATIONS))


@pytest.mark.parametrize("table", ["closed_month", "kept_allowance"])
async def test_a_close_killed_within_its_transaction_has_done_nothing(
    database: str, connection: Connection, writer: Writer, tmp_path: Path, table: str
) -> None:
    """By kill -9, when corrections are written and this table is not: all is as before; the next closes."""
    await take_in(writer, shuffled())
    before = await state(connection)
    blocker = await connect(database, application="blocker")
    async with blocker.transaction():
        await blocker.execute(f"LOCK TABLE {table} IN SHARE MODE")
        machine = {
            "PBXCORE_DATABASE": database,
            "PBXCORE_STATE": str(tmp_path),
            "PBXCORE_CONFIG": str(CONFIG),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pbxcore", "close", "acme", "2026-02"), env={**os.environ, **machine}
        )
        async with asyncio.timeout(60):
            while not await waits(connection):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        process.kill()
        await process.wait()
    async with asyncio.timeout(60):
        while await connection.fetchval(f"SELECT count(*) {CLOSERS}"):  # noqa: ASYNC110 — as above
            await asyncio.sleep(0.02)
    await blocker.close()
    assert await state(connection) == before
    closer = Closing(connection, writer.index.book)
    assert (await closer.close("acme", FEBRUARY, now_us=NOW_US, by="test")).obstacle is None
    await same_as_a_clean_run(connection, writer.index.book)


CLOSERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pbxcore cli'"


async def waits(connection: Connection) -> bool:
    """Tell whether the process that closes stands before a lock."""
    return bool(await connection.fetchval(f"SELECT wait_event_type = 'Lock' {CLOSERS}"))


async def test_rating_again_by_a_mended_tariff_writes_once(connection: Connection, writer: Writer) -> None:
    """A dry run writes nothing and says the same as the run that does; the second one finds nothing."""
    await take_in(writer, shuffled())
    offer = document("catalogues/autphone.yaml")
    for row in offer["rates"]:
        if (row["zone"], row["kind"]) == ("AT-CH", "mobile"):
            row["price_per_minute"] = "0.290"
    await put(connection, "catalogue", "autphone@2026-01-01", offer)
    book = await load_book(connection, DESTINATIONS)
    closer, before = Closing(connection, book), await state(connection)
    dry = await closer.rerate("acme", confirm=False)
    assert await state(connection) == before
    wet = await closer.rerate("acme", confirm=True)
    assert wet == dry
    assert dry.differences_micro["EUR"] > 0
    await same_as_a_clean_run(connection, book)
    written = await state(connection)
    assert not (await closer.rerate("acme", confirm=True)).changed
    assert await state(connection) == written


async def test_rating_again_with_vat_takes_back_what_was_told_without(
    connection: Connection, writer: Writer
) -> None:
    """Of each word the rows sum to what is charged so; the second time nothing is found."""
    await take_in(writer, shuffled())
    offer = {**document("catalogues/autphone.yaml"), "prices": "gross"}
    await put(connection, "catalogue", "autphone@2026-01-01", offer)
    book = await load_book(connection, DESTINATIONS)
    closer = Closing(connection, book)
    assert (await closer.rerate("acme", confirm=True)).changed
    await same_as_a_clean_run(connection, book)
    sums = Counter[str]()
    for entry in await entries_of(connection):
        sums[entry.leg.prices] += entry.leg.amount_micro
    assert (sums["net"], sums["gross"] > 0) == (0, True)
    written = await state(connection)
    assert not (await closer.rerate("acme", confirm=True)).changed
    assert await state(connection) == written
