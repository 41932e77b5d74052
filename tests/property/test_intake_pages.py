"""Lines that are passed over because they tell nothing of a leg: nobody could tell that they were.

What is read by columns is judged by what comes of every line read alone.
"""

from collections.abc import Iterator, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from pbxcore.intake.assemble import NOTHING_OPEN, Assembly, assemble
from pbxcore.intake.lines import Records, read
from pbxcore.intake.page import Page
from pbxcore.practice.records import World, records

T0 = 1_795_360_000
FACTS = "payer=acme/10|why=call|num=+4930123456|limit=14400|version=acme@7|trunk=carrier"
# Few of them, so that numbers begin again, channels meet, and one is another's end.
UNIQUEIDS = st.one_of(
    st.builds("{}-{}.{}".format, st.sampled_from("st"), st.integers(T0, T0 + 9), st.integers(0, 12)),
    st.sampled_from(("s-1.2", "2", "nonsense", f"s-{T0}.", f"s-{T0}.0000000001", f"s-{T0}.12345678901")),
)
CHANNELS = st.sampled_from(
    ("PJSIP/trunk-carrier-00000005", "PJSIP/acme-p10-00000001", "PJSIP/trunk", "PJSIP/trunk-c", "Local/1", "")
)
LINES = st.builds(
    lambda event, us, uniqueid, linkedid, channel: "\t".join(
        ("L1", event[0], f"{T0}.{us:06}", uniqueid, linkedid, channel, "", *event[1:])
    ),
    st.sampled_from(
        (
            ("CHAN_START", "", ""),
            ("ANSWER", "", ""),
            ("HANGUP", "", ""),
            ("LINKEDID_END", "", ""),
            ("USER_DEFINED", "TRUNK_LEG", FACTS),
            ("USER_DEFINED", "TRUNK_LEG", "payer"),
            ("USER_DEFINED", "CALL_END", "outcome=answered"),
            ("USER_DEFINED", "CALL_ENDS", ""),
            ("USER_DEFINED", "TRUNK_FAILED", "trunk=carrier|num=+4930123456|channel=|cause=34"),
            ("HANGUP", "CALL_END", ""),
        )
    ),
    st.integers(0, 999_999),
    UNIQUEIDS,
    UNIQUEIDS,
    CHANNELS,
)

STARTS = f"L1\tCHAN_START\t{T0}.000001\t{{}}\ts-1.1\tPJSIP/{{}}-00000005\t\t\t"


def halves(lines: Sequence[str]) -> Iterator[Records]:
    """Read lines in two pages."""
    for some in (lines[: len(lines) // 2], lines[len(lines) // 2 :]):
        found, bad = read("".join(f"{line}\n" for line in some), 7)
        assert not bad
        assert all(isinstance(part, Page) for part in found.parts)
        yield found


@given(st.lists(LINES, max_size=40))
@example([line.removesuffix("\n") for line in records(40, World())])
@example([STARTS.format(f"s-{T0}.5", "trunk-carrier"), STARTS.format(f"s-{T0 + 9}.2", "acme-p10")])
def test_pages_say_what_their_lines_say(lines: list[str]) -> None:
    """Legs, channels under way, ends of calls and bad lines are those of all records, page after page."""
    by_page = by_record = Assembly(legs=(), bad=(), open=NOTHING_OPEN, changed=(), closed=(), last_us=0)
    for page in halves(lines):
        by_page = assemble(page, by_page.open, by_page.last_us)
        by_record = assemble(list(page), by_record.open, by_record.last_us)
        assert by_page == by_record


def test_most_lines_of_a_call_are_passed_over() -> None:
    """Of a phone only the end of its call is looked at."""
    (page,) = read("".join(records(200, World())), 0)[0].parts
    assert isinstance(page, Page)
    telling = page.telling(())
    told = map(page.record, telling.lines.tolist())
    assert all(record.channel.startswith("PJSIP/trunk-") for record in told)
    assert len(telling.lines) + len(telling.ended) < len(page) * 2 // 3
