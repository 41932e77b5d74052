"""Lines of the spool: what is a record, and what is put aside."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbxcore.intake.lines import PART, read
from pbxcore.intake.record import LONGEST, BadLine, Fault, Record

START = (
    "L1\tCHAN_START\t1795360000.000001\tsip1-1795360000.1\tsip1-1795360000.0\tPJSIP/acme-p10-00000001\t\t\t"
)
LEG = (
    "L1\tUSER_DEFINED\t1795360000.000002\tsip1-1795360000.1\tsip1-1795360000.0\tPJSIP/trunk-carrier-00000001"
    "\tacme/10\tTRUNK_LEG\tpayer=acme/10|why=call|num=+4930123456|limit=14400|version=acme@7|trunk=carrier"
)


def found(text: str, start: int = 0) -> list[Record | BadLine]:
    """What `read` makes of a text."""
    records, bad = read(text, start)
    return sorted([*records, *bad], key=lambda one: one.start)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", Fault.FIELDS),
        ("\t" * 8, Fault.FIELDS),
        (START + "\t", Fault.FIELDS),
        (START.rpartition("\t")[0], Fault.FIELDS),
        (START.replace("L1", "L2"), Fault.FIELDS),
        (START.replace("sip1-1795360000.1", ""), Fault.FIELDS),
        (START.replace("p10", "p\x0010"), Fault.FIELDS),
        (START.replace("p10", "p\xe4"), Fault.FIELDS),
        (START.replace("CHAN_START", "DTMF_END"), Fault.EVENT),
        (START.replace("CHAN_START", "chan_start"), Fault.EVENT),
        (START.replace(".000001", ""), Fault.TIME),
        (START.replace(".000001", ".0001"), Fault.TIME),
        (START.replace("1795360000.000001", "-795360000.000001"), Fault.TIME),
        (START.replace("1795360000.000001", "2026-11-22 12:00:00"), Fault.TIME),
        (LEG + "x" * (1_023 - len(LEG)), Fault.CUT),
    ],
)
def test_what_is_no_record_is_put_aside_whole(line: str, fault: Fault) -> None:
    """A bad line keeps its place, its characters and what is wrong with it; its neighbours are read."""
    bad = BadLine(start=len(START) + 1, fault=fault, line=line)
    first, middle, last = found(f"{START}\n{line}\n{LEG}\n")
    assert (middle, isinstance(first, Record), isinstance(last, Record)) == (bad, True, True)


@pytest.mark.parametrize("fragment", ["L1\tANSW", "\0\0\0\0", LEG[:150], LEG, "L1\t"])
def test_a_record_glued_to_a_fragment_is_read(fragment: str) -> None:
    """After a full disk the fragment is put aside and the record that follows it counts."""
    bad, record = found(f"{fragment}{START}\n", 1_000)
    assert bad == BadLine(start=1_000, fault=Fault.FIELDS, line=fragment)
    assert isinstance(record, Record)
    assert (record.start, record.line, record.event) == (1_000 + len(fragment), START, "CHAN_START")


def test_a_record_says_who_when_and_what() -> None:
    """Every field arrives, the time in whole microseconds."""
    (record,) = found(LEG + "\n", 7)
    assert isinstance(record, Record)
    assert (record.start, record.event, record.time_us) == (7, "USER_DEFINED", 1_795_360_000_000_002)
    assert (record.uniqueid, record.linkedid) == ("sip1-1795360000.1", "sip1-1795360000.0")
    assert (record.channel, record.subject) == ("PJSIP/trunk-carrier-00000001", "TRUNK_LEG")
    assert record.extra.startswith("payer=acme/10|why=call|")


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\n"), max_size=60)))
def test_no_byte_is_lost(lines: list[str]) -> None:
    """Whatever stands in a file, records and bad lines together are all of it, in order."""
    text = "".join(line + "\n" for line in lines)
    pieces = {piece.start: piece.line for piece in found(text)} if text else {}
    rebuilt = ""
    for start, line in sorted(pieces.items()):
        rebuilt += "\n" * (start - len(rebuilt)) + line
    assert (rebuilt + "\n" if text else "") == text


_SPOILED = st.builds(
    lambda line, at, cut, put: line[:at] + put + line[at + cut :],
    st.sampled_from((START, LEG)),
    st.integers(0, len(LEG)),
    st.integers(0, 30),
    st.sampled_from(("", "\t", "\t\t", "L1\t", "7", ".", "x", "\0", "\xe4", "HANGUP", "x" * LONGEST)),
)


@given(st.lists(st.one_of(st.sampled_from((START, LEG)), _SPOILED), max_size=8))
@example([f"{START}\tx\t{START.rpartition('PJSIP')[0]}\t", "x"])  # together as many fields as two records
def test_lines_that_are_read_at_once_are_what_each_is_alone(lines: list[str]) -> None:
    """A bad line at the end makes every line be read alone: nothing else may change by that."""
    text = "".join(line + "\n" for line in lines)
    records, bad = read(text, 5)
    with_another = read(text + "\n", 5)
    assert (list(with_another[0]), with_another[1]) == (
        list(records),
        [*bad, BadLine(start=5 + len(text), fault=Fault.FIELDS, line="")],
    )


@pytest.mark.parametrize("bad", [False, True])
def test_a_long_text_is_read_in_parts_without_a_seam(*, bad: bool) -> None:
    """Every line of it is there, where it stands."""
    lines = [START, LEG] * (PART // len(START))
    if bad:
        lines[len(lines) // 2] = "x" * (PART + 1)
    text = "".join(line + "\n" for line in lines)
    pieces = found(text, 9)
    assert [piece.line for piece in pieces] == lines
    assert all(text[piece.start - 9 :].startswith(piece.line + "\n") for piece in pieces)
