"""What carriers' headers say about diversions, as the dialplan passes them on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxcore.control.diversion import MAX_COUNTER, Diverted, read

TWICE = "<sip:+4930@x>;index=1<sip:+4931@x;cause=302>;index=1.1;mp=1"


@pytest.mark.parametrize(
    ("diversion", "history", "numbers", "count"),
    [
        # nothing, garbage, hosts without users
        ("", "", (), 0),
        ("nonsense", "<>;index=1", (), 0),
        ("<sip:x.y>;reason=unknown", "", (), 1),
        # Diversion
        ("<sip:+4930@x.y>;reason=user-busy", "", ("+4930",), 1),
        ("Old<sip:+4930@x.y:5060;user=phone>;reason=no-answer;counter=3", "", ("+4930",), 3),
        ("<sip:+4930@x.y>;reason=a;counter=2<sip:+4931@x.y>;counter=1", "", ("+4930", "+4931"), 3),
        ("sip:+4930@x.y;reason=asips:+4931@x.y", "", ("+4930", "+4931"), 2),
        ("<tel:+4930>;reason=unconditional", "", ("+4930",), 1),
        ("<sip:+4930;phone-context=x@x.y>", "", ("+4930",), 1),
        ("<sip:anonymous@anonymous.invalid>;counter=2<sip:+4930@x>", "", ("+4930",), 3),
        ("<sip:+4930@x>;counter=0", "", ("+4930",), 1),
        ("<sip:+4930@x>;counter=999999999", "", ("+4930",), MAX_COUNTER),
        ("<sip:+4930@x><sip:+4930@x>", "", ("+4930",), 2),
        # History-Info: RFC 7044 with mp, without it, RFC 4244 with an escaped reason, several retargets
        ("", TWICE, ("+4930",), 1),
        ("", "<sip:+4930@x>;index=1<sip:+4931@x;cause=486>;index=1.1", ("+4930",), 1),
        ("", "<sip:+4930@x?Reason=SIP3Bcause3D302>;index=1<sip:+4931@x>;index=1.1", ("+4930",), 1),
        ("", f"{TWICE}<sip:+4932@x;cause=408>;index=1.1.1;mp=1.1", ("+4931", "+4930"), 2),
        ("", "<sip:+4931@x;cause=302>;index=1.2;mp=1<sip:+4930@x>;index=1", ("+4930",), 1),
        # a way without a diversion
        ("", "<sip:+4930@x>;index=1<sip:+4930@y>;index=1.1;rc=1", (), 0),
        ("", "<sip:+4930@x;cause=302>;index=1", (), 0),
        # both say the same, or each something
        ("<sip:+4930@x>;counter=1", TWICE, ("+4930",), 1),
        ("<sip:+4933@x>", TWICE, ("+4933", "+4930"), 2),
    ],
)  # fmt: skip
def test_who_diverted(diversion: str, history: str, numbers: tuple[str, ...], count: int) -> None:
    """The latest first, each once, and how often in all."""
    assert read(diversion, history) == Diverted(numbers, count)


@given(st.text(alphabet="sip:tel@<>;=?.0123456789indexcausemprR+", max_size=400), st.text(max_size=400))
def test_any_text_is_read(diversion: str, history: str) -> None:
    """Nothing in a header makes reading fail, and what comes out is made of a number's characters."""
    for found in (read(diversion, history), read(history, diversion)):
        assert found.count >= len(found.numbers)
        assert all(re.fullmatch(r"[0-9A-Za-z_+*#.-]+", number) for number in found.numbers)
