"""The call flow on paper says what the document says, in each language, on pages that hold it."""

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from pypdf import PdfReader

from dialplan.flow import Box, diagrams, ways
from dialplan.porting import Stage
from dialplan.references import Place
from dialplan.spec import TenantSpec
from dialplan.target import Kind
from pbxcore.paper.flow import TO, content, flow
from pbxcore.paper.layout import BOX_PT, TITLE_CHARS, Card, draw
from pbxcore.paper.words import LANGUAGES, language_of, words

NOW = datetime(2026, 11, 27, 11, tzinfo=UTC)
CHECKOUT = Path(__file__).parents[3]
ACME = TenantSpec.model_validate(yaml.safe_load((CHECKOUT / "config/tenants/acme.yaml").read_text()))


def tenant(**parts: object) -> TenantSpec:
    """Make a document of two extensions and what a test adds."""
    extensions = {
        "10": {"name": "Anna", "devices": ["p10"]},
        "11": {"name": "Bruno", "devices": ["p11"], "voicemail": {}},
    }
    base = {"version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
            "account": "acme", "extensions": extensions}  # fmt: skip
    return TenantSpec.model_validate({**base, **parts})


def shape(box: Box) -> object:
    """Write a tree as text and lists, so that a table can show it."""
    name = f"{box.place}{' …' if box.elsewhere else ''}"
    return [name, *(shape(following) for following in box.then)] if box.then else name


@pytest.mark.row("3.9")
def test_the_numbers_of_acme_lead_through_hours_to_the_group() -> None:
    """A number's diagram follows the hours, the group and what becomes of a call that nobody takes."""
    first, *others = diagrams(ACME)
    assert first.numbers == ("+493055500100",)
    assert shape(first.root) == [
        "hours office", ["group sales", "number +436641234567"], "voicemail 10"]  # fmt: skip
    assert not others


MAILBOX = [
    ({}, [("voicemail", "voicemail 11")]),
    ({"busy": "busy"}, [("busy", "busy"), ("no_answer", "voicemail 11")]),
    ({"no_answer": "extension 10"}, [("no_answer", "extension 10"), ("busy", "voicemail 11")]),
    ({"always": "extension 10"}, [("always", "extension 10")]),
    ({"busy": "busy", "no_answer": "busy"}, [("busy", "busy"), ("no_answer", "busy")]),
]


@pytest.mark.parametrize(("forward", "expected"), MAILBOX)
def test_a_mailbox_takes_what_no_forward_takes(forward: dict[str, str], expected: list[Any]) -> None:
    """What a mailbox takes by itself stands in the drawing as if a rule said it."""
    extensions = {
        "10": {"name": "Anna", "devices": ["p10"]},
        "11": {"name": "Bruno", "devices": ["p11"], "voicemail": {}, "forward": forward},
    }
    found = ways(tenant(extensions=extensions))[Place(Kind.EXTENSION, "11")]
    assert [(way.when, str(way.to).strip()) for way in found] == expected


def test_a_place_that_numbers_share_is_drawn_once() -> None:
    """Numbers that lead to one place share a diagram; another diagram refers to it."""
    spec = tenant(
        numbers={"+493055500101": {"to": "group a"}, "+493055500102": {"to": "group b"},
                 "+493055500103": {"to": "group a"}},
        groups={"a": {"name": "A", "members": ["10"], "otherwise": "group b"},
                "b": {"name": "B", "members": ["11"], "otherwise": "busy"}},
    )  # fmt: skip
    first, second = diagrams(spec)
    assert first.numbers == ("+493055500101", "+493055500103")
    assert shape(first.root) == ["group a", "group b …"]
    assert shape(second.root) == ["group b", "busy "]


def test_a_tree_that_is_too_deep_goes_on_in_another_diagram() -> None:
    """A chain longer than a page is wide is cut, and the cut names a diagram that continues it."""
    groups = {f"g{n}": {"name": f"G{n}", "members": ["10"], "otherwise": f"group g{n + 1}"} for n in range(9)}
    groups["g9"] = {"name": "G9", "members": ["11"], "otherwise": "busy"}
    found = diagrams(tenant(groups=groups, numbers={"+493055500101": {"to": "group g0"}}))
    assert [str(one.root.place) for one in found] == ["group g0", "group g3", "group g6", "group g9"]
    assert [one.numbers for one in found] == [("+493055500101",), (), (), ()]


def test_a_tenant_without_numbers_still_has_a_flow() -> None:
    """Groups and hours that only phones inside call are drawn too."""
    spec = tenant(groups={"a": {"name": "A", "extension": "60", "members": ["10"], "otherwise": "busy"}})
    assert [shape(one.root) for one in diagrams(spec)] == [["group a", "busy "]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    """No page mixes languages: strategies and rules of the documents have words in each."""
    said = words(language)
    assert all(said.values())
    assert said.keys() == words("en").keys()
    strategies = TenantSpec.model_json_schema()["$defs"]["GroupSpec"]["properties"]["strategy"]["enum"]
    assert {f"strategy.{strategy}" for strategy in strategies} <= said.keys()
    assert {f"stage.{stage}" for stage in Stage} <= said.keys()
    assert {f"when.{way.when}" for found in ways(ACME).values() for way in found} <= said.keys()


def test_another_language_reads_english() -> None:
    """A tenant whose language has no words gets a page in English, not none."""
    assert language_of("fr") == "en"
    assert language_of("nl") == "nl"


def test_the_pages_say_hours_members_and_times_in_the_customers_language() -> None:
    """Days, conditions and seconds are written as the customer speaks."""
    said = content(ACME, now=NOW, language="de", stand="Fassung 7")
    boxes = [box for one in said.diagrams for box in one.drawing.boxes]
    texts = {text for box in boxes for text in (box.way, *box.title, *box.lines)}
    assert {f"Mo{TO}Fr 08:00{TO}18:00", "keine Antwort nach 12 s", "geschlossen", "10 Anna Albrecht"} <= texts
    temporary = "vorläufig, bis +49 3022200100 portiert ist"
    assert ("+49 3055500100", temporary, "Öffnungszeiten office") in said.numbers


def test_a_member_outside_has_to_press_1() -> None:
    """The diagram and the table of groups say so of a number outside, and of nobody within."""
    members = ["10", {"number": "+436641234567", "delay_s": 10}, {"number": "+493055500111"}]
    spec = tenant(
        numbers={"+493055500111": {"to": "extension 11"}},
        groups={"a": {"name": "A", "extension": "60", "members": members, "otherwise": "busy"}},
    )
    said = content(spec, now=NOW, language="de", stand="")
    (box,) = (box for one in said.diagrams for box in one.drawing.boxes if box.kind == Kind.GROUP)
    outside = "+43 6641234567 (nach 10 s) (muss die 1 drücken)"
    listed = ["10 Anna", outside, "+49 3055500111"]
    assert " ".join(box.lines).endswith(" ".join(listed))
    assert listed == said.groups[0][3].split("\n")


def test_ways_for_some_callers_are_drawn_with_their_condition() -> None:
    """A number that leads elsewhere for some is a box of its own; a rule for some calls says for which."""
    callers = {"+4930*": "extension 11", "anonymous": "reject"}
    rule = {"callers": ["+4940*", "inside"], "busy": "extension 11"}
    spec = tenant(
        numbers={"+493055500111": {"to": "extension 10", "callers": callers}},
        extensions={
            "10": {"name": "Anna", "devices": ["p10"], "forward": {"rules": [rule]}},
            "11": {"name": "Bruno", "devices": ["p11"], "voicemail": {}},
        },
    )
    said = content(spec, now=NOW, language="de", stand="")
    boxes = [box for one in said.diagrams for box in one.drawing.boxes]
    texts = {text for box in boxes for text in (box.way, *box.title, *box.lines)}
    assert {"+4930*", "ohne Rufnummer", "Abgewiesen", "alle anderen"} <= texts
    assert "wenn besetzt: +4940*, von intern" in texts


def test_boxes_do_not_overlap_and_stand_right_of_what_leads_to_them() -> None:
    """However high boxes are, each has its place."""
    leaf = Card(kind="busy", title="a long title that " * 3, lines=("line",) * 4, way="when busy")
    middle = Card(kind="group", title="G", lines=("m",) * 9, then=(leaf, leaf))
    drawing = draw(Card(kind="hours", title="H", then=(middle, leaf, middle)))
    for index, one in enumerate(drawing.boxes):
        for other in drawing.boxes[index + 1 :]:
            apart_x = abs(one.x - other.x) >= BOX_PT
            apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert apart_x or apart_y
    assert all(box.x >= 0 and box.y >= 0 for box in drawing.boxes)
    assert all(arrow.x2 > arrow.x1 for arrow in drawing.arrows)
    assert all(len(line) <= TITLE_CHARS for box in drawing.boxes for line in box.title)


def test_a_group_stands_on_one_page_unless_it_is_longer() -> None:
    """Of eight members none is left behind on the page before; of eighty all are there."""
    sizes = {f"g{number:02}": 80 if number == 9 else 8 for number in range(10)}
    groups: dict[str, dict[str, Any]] = {
        name: {"name": name, "members": [{"number": f"+49{place}{name[1:]}{n:02}"} for n in range(size)]}
        for place, (name, size) in enumerate(sizes.items(), 7000)
    }
    (paper,) = flow(tenant(groups=groups), now=NOW, language="en", stand="", form="pdf")
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(paper)).pages]
    for group in groups.values():
        found = [
            {page for page, text in enumerate(pages) if f"+49 {member['number'][3:]}" in text}
            for member in group["members"]
        ]
        assert all(found)
        if len(found) == 8:
            assert found[-1] == found[-2] == found[-3], "beyond the five that the diagram shows"
            assert found[-1] <= found[0]


def test_the_same_document_gives_the_same_bytes() -> None:
    """A drawing can be compared and filed: nothing of the moment is in it."""
    once, again = (flow(ACME, now=NOW, language="it", stand="revisione 7") for _ in range(2))
    assert once == again
    assert once[0].startswith(b"%PDF")
    assert flow(ACME, now=NOW, language="it", stand="revisione 7", form="svg")[0].startswith(b"<svg")


OWN = {"stands_for": "+493022200100"}
PORTED = {**OWN, "porting": {"confirmed": "2026-11-15T06:00", "grace_days": 30}}
NUMBERS: list[tuple[dict[str, Any], str, tuple[str, str], str]] = [
    ({}, "2026-11-27T12:00", ("+49 3055500101", "own number"), "+49 3055500101"),
    ({"ordered": True}, "2026-11-27T12:00", ("+49 3055500101", "on order"), ""),
    (
        OWN,
        "2026-11-27T12:00",
        ("+49 3055500101", "temporary, until +49 3022200100 is ported"),
        "+49 3055500101",
    ),
    (
        {**OWN, "porting": {"planned": "2026-12-01T06:00"}},
        "2026-12-01T05:59",
        ("+49 3055500101", "temporary; +49 3022200100 is to be ported on 2026-12-01"),
        "+49 3055500101",
    ),
    (
        {**OWN, "porting": {"planned": "2026-12-01T06:00"}},
        "2026-12-24T12:00",  # a plan is no fact
        ("+49 3055500101", "temporary; +49 3022200100 was to be ported on 2026-12-01"),
        "+49 3055500101",
    ),
    (
        PORTED,
        "2026-12-15T05:59",
        ("+49 3022200100", "ported; the temporary +49 3055500101 is valid until 2026-12-15"),
        "+49 3022200100\n+49 3055500101 until 2026-12-15",
    ),
    (
        PORTED,
        "2026-12-15T06:00",
        ("+49 3022200100", "ported; the temporary +49 3055500101 was valid until 2026-12-15"),
        "+49 3022200100",
    ),
    (
        {**OWN, "porting": {"confirmed": "2026-11-15T00:00", "grace_days": 30}},
        "2026-12-14T23:59",
        ("+49 3022200100", "ported; the temporary +49 3055500101 is valid until 2026-12-14"),
        "+49 3022200100\n+49 3055500101 until 2026-12-14",
    ),
]


@pytest.mark.parametrize(("number", "now", "row", "dialled"), NUMBERS)
def test_each_number_says_where_it_stands_in_its_life(
    number: dict[str, Any], now: str, row: tuple[str, str], dialled: str
) -> None:
    """The customer reads which numbers hold on this day, and until when, in tables and diagrams."""
    groups = {"a": {"name": "A", "members": ["10"], "otherwise": "busy"}}
    to_group = tenant(numbers={"+493055500101": {"to": "group a", **number}}, groups=groups)
    to_extension = tenant(numbers={"+493055500101": {"to": "extension 10", **number}})
    at = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    said = content(to_group, now=at, language="en", stand="")
    assert [one[:2] for one in said.numbers] == [row]
    (entry,) = (box for one in said.diagrams for box in one.drawing.boxes if box.kind == "entry")
    assert list(entry.lines) == (dialled or row[0]).split("\n")
    beside = content(to_extension, now=at, language="en", stand="")
    assert beside.extensions[0][3] == dialled
    assert [one[:2] for one in beside.numbers] == ([] if not number else [row])


SHOWN: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "+493055500101", "2026-11-27", "+49 3055500101"),
    ({"right_of_use": date(2026, 12, 1)}, "+493022200100", "2026-11-30", "+49 3055500101"),
    ({"right_of_use": date(2026, 12, 1)}, "+493022200100", "2026-12-01", "+49 3022200100"),
    ({"porting": {"confirmed": "2026-11-15T06:00"}}, "+493055500101", "2026-11-27", "+49 3022200100"),
]


@pytest.mark.parametrize(("number", "caller_id", "day", "expected"), SHOWN)
def test_the_number_shown_is_what_others_see_on_that_day(
    number: dict[str, Any], caller_id: str, day: str, expected: str
) -> None:
    """A number is shown from the day of its right of use on, a temporary one until the porting."""
    extensions = {"10": {"name": "Anna", "devices": ["p10"], "caller_id": caller_id}}
    spec = tenant(numbers={"+493055500101": {"to": "extension 10", **OWN, **number}}, extensions=extensions)
    at = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert content(spec, now=at, language="en", stand="").extensions[0][4] == expected


def test_a_block_stands_among_the_numbers_and_each_extension_has_its_own_of_it() -> None:
    """A ported block is written with its open digits; an extension that takes the rest has not all of it."""
    block = {"ddi": 2, "to": "extension 10", "stands_for": "+49302220",
             "porting": {"confirmed": "2026-11-15T06:00"}}  # fmt: skip
    said = content(tenant(numbers={"+49305550": block}), now=NOW, language="de", stand="")
    assert [one[:2] for one in said.numbers] == [
        ("+49 302220xx", "portiert; die vorläufige +49 305550xx gilt noch bis 15.12.2026")
    ]
    assert [one[3] for one in said.extensions] == [
        "+49 30222010\n+49 30555010 bis 15.12.2026",
        "+49 30222011\n+49 30555011 bis 15.12.2026",
    ]


def test_a_number_that_rings_a_group_by_its_extension_stands_among_the_numbers() -> None:
    """What is left out of the table stands beside an extension, and a group's has no such row."""
    groups = {"a": {"name": "A", "extension": "60", "members": ["10"], "otherwise": "busy"}}
    spec = tenant(numbers={"+493055500101": {"to": "extension 60"}}, groups=groups)
    assert len(content(spec, now=NOW, language="en", stand="").numbers) == 1


def test_every_forward_of_an_extension_has_words() -> None:
    """Rules of forwards are never shown by their keys; those for some calls alone name the same cases."""
    forwards = TenantSpec.model_json_schema()["$defs"]["ForwardSpec"]["properties"]
    assert {f"when.{key}" for key in forwards.keys() - {"rules"}} <= words("en").keys()


def test_the_customer_reads_who_may_call_where_and_how_often() -> None:
    """Rights with their hours and numbers, and how many calls at once, of extensions and of the tenant."""
    extensions = {
        "10": {"name": "Anna", "devices": ["p10"], "may_call": {"to": "office", "allowed": ["+43*"]}},
        "11": {"name": "Bruno", "devices": ["p11"], "max_outbound": 1, "busy_level": 2},
    }
    rights = {"office": {"open": ["Mon-Fri 08:00-18:00"], "closed": "country", "blocked": ["+49900*"]}}
    said = content(
        tenant(extensions=extensions, rights=rights, max_inbound=8, max_calls=9),
        now=NOW,
        language="en",
        stand="",
    )
    assert said.lines == "8 coming in, 9 in all"
    assert [row[5].split("\n") for row in said.extensions] == [
        [
            "Mon\u2013Fri 08:00\u201318:00",
            "everywhere",
            "at other times: own country",
            "never: +49900…",
            "also: +43…",
        ],
        ["everywhere", "1 going out", "busy with 2 calls"],
    ]
