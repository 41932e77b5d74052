"""Asterisk's configuration as it is written: complete, parsable, and safe against settings."""

import re
from pathlib import Path

import pytest
from asterisk.config import Category, Config, Item

from dialplan.call import MAX_DIVERSIONS
from dialplan.numbers import COUNTRIES
from pbxcore.control import wire
from pbxcore.machine import asterisk
from pbxcore.settings import Settings, Trunk

# pyst2 leaves each file that it has read to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*unclosed file.*:ResourceWarning")
DIALPLAN = (asterisk.TEMPLATES / "extensions.conf").read_text()
END = r"^exten => h,1,GotoIf\(.*\?ended,\$\{PBX_END\},1\)$"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Give the folder of a configuration with two trunks."""
    share = tmp_path / "share"
    (share / "sounds" / "en_US_f_Allison").mkdir(parents=True)
    installation = asterisk.Installation(program=("asterisk",), modules=tmp_path, share=share)
    trunks = (Trunk(name="one", host="127.0.0.2"), Trunk(name="two", host="127.0.0.3", port=5070))
    settings = Settings(state=tmp_path / "state", config=tmp_path, trunks=trunks)
    return asterisk.configure(settings, installation) / "etc"


def test_every_file_parses_and_is_filled_in(written: Path) -> None:
    """pyst2 reads each file; no placeholder is left."""
    for path in written.glob("*.conf"):
        assert not re.search(r"@[A-Z_]+@", path.read_text()), path.name
        path.write_text(re.sub(r"^#include", ";", path.read_text(), flags=re.MULTILINE))  # unknown to pyst2
        Config(str(path))


def test_secrets_are_the_owners_alone(written: Path) -> None:
    """Nobody else on the machine reads the manager's password."""
    assert (written / "manager.conf").stat().st_mode & 0o777 == 0o600


def test_a_trunk_is_known_by_its_address_alone(written: Path) -> None:
    """Each trunk has its identify, and none may transfer."""
    sections: dict[str, list[dict[str, str]]] = {}
    for category in Config(str(written / "trunks.conf")).categories:
        if isinstance(category, Category) and category.name.startswith("trunk-"):
            words = {
                item.name.strip(): item.value.strip() for item in category.items if isinstance(item, Item)
            }
            sections.setdefault(category.name, []).append(words)
    assert set(sections) == {"trunk-one", "trunk-two"}
    endpoint, aor, identify = sections["trunk-two"]
    assert (endpoint["identify_by"], endpoint["allow_transfer"]) == ("ip", "no")
    assert aor["contact"] == "sip:127.0.0.3:5070"
    assert identify["match"] == "127.0.0.3"


def test_emergency_numbers_are_those_of_the_table() -> None:
    """Each country's phones reach exactly the emergency numbers of dialplan.numbers, before any question."""
    text = asterisk.countries()
    for country, row in COUNTRIES.items():
        name = country.lower()
        found = re.search(rf"^\[emergency-{name}\]\n(.*?)\n\n", text, re.MULTILINE | re.DOTALL)
        assert found, country
        entries = dict(re.findall(r"^exten => ([^,]+),1,Set\(PBX_HELP=(\w+)\)", found[1], re.MULTILINE))
        assert {dialled: number for dialled, number in entries.items() if dialled.isdigit()} == {
            form: number for number in row.emergency for form in (number, f"00{row.calling}{number}")
        }
        assert entries[f"*31#+{row.calling}112"] == entries["*31*112"] == entries["*31#112"] == "112"
        assert entries[f"#31#00{row.calling}112"] == entries["#31#112"] == "112"
        assert f"[phones-{name}]\ninclude => emergency-{name}\ninclude => phones\n" in text


def test_a_setting_cannot_write_configuration() -> None:
    """A value with a line break or a comment sign is refused."""
    for value in ("a\nb", "a;b", "a\r"):
        with pytest.raises(asterisk.ConfigurationError):
            asterisk.fill("x = @KEY@", {"KEY": value})


def test_the_dialplan_knows_every_step_of_the_wire() -> None:
    """Each label the wire writes stands in [step], and nothing else does."""
    labels = set(re.findall(r"^ ; (\w+)\(", DIALPLAN, re.MULTILINE))
    written = set(re.findall(r'_call\(\s*"(\w+)"', Path(wire.__file__).read_text()))
    assert labels == written
    assert all(f"n({label})," in DIALPLAN for label in labels)


def test_no_variable_of_ours_is_inherited() -> None:
    """Nothing that decides or pays goes on to another channel by itself but what a 302 has to know of a call.

    The step of a group's member, its version, its age and its group go one channel far: to the member's own.
    """
    whole_way, one_channel = {"TRAIL", "CALLER", "HIDES", "DIVERTED"}, {"M", "OF", "SINCE", "RINGS"}
    assert set(re.findall(r"_+PBX\w*", DIALPLAN)) == {f"__PBX_{name}" for name in whole_way} | {
        f"_PBX_{name}" for name in one_channel
    }


def test_a_second_question_of_a_channel_finds_nothing_of_the_first() -> None:
    """What a call's end tells, or others inherit, each question sets, or the channel loses before it asks."""
    rest = {name: DIALPLAN.partition(f"\n[{name}]")[2] for name in ("sent", "ask", "ended")}
    lines = re.findall(r"^exten => s,1,MSet\(.*", rest["sent"], re.MULTILINE)[:1]
    lines += re.findall(r"^exten => s,1,MSet\(.*", rest["ask"], re.MULTILINE)[:1]
    renewed = set(re.findall(r"[(,]_*(PBX_\w+|DIALSTATUS)=", "".join(lines)))
    read = set(re.findall(r"\$\{(PBX_\w+|DIALSTATUS)\}", rest["ended"]))
    assert {"PBX_OUTCOME", "PBX_LAST", "PBX_END", "DIALSTATUS"} <= read
    goes_on = {f"PBX_{name}" for name in ("TRAIL", "CALLER", "HIDES", "DIVERTED", "RINGS")}
    assert read | goes_on <= renewed


@pytest.mark.parametrize(
    "context", ["transfer", "sent", "behind", "help", "ask", "step", "emergency", "ended"]
)
def test_a_call_has_an_end_wherever_it_is_hung_up(context: str) -> None:
    """Also on its way from one question to the next one."""
    section = DIALPLAN.partition(f"\n[{context}]")[2].partition("\n[")[0]
    assert re.search(END, section, re.MULTILINE)


@pytest.mark.parametrize("country", [name.lower() for name in COUNTRIES])
def test_a_call_has_an_end_on_its_way_to_an_emergency_number(country: str) -> None:
    """Whoever was asked for before and is sent there leaves an end, too, as from any other context."""
    section = asterisk.countries().partition(f"[emergency-{country}]")[2].partition("\n[")[0]
    assert re.search(END, section, re.MULTILINE)


def test_constants_stand_where_they_are_used(written: Path) -> None:
    """Asterisk searches for none of them while a call waits, and there is none that nobody uses."""
    section = re.search(r"^\[constants\]\n.*?(?=^\[)", DIALPLAN, re.MULTILINE | re.DOTALL)
    assert section
    names = re.findall(r"^(\w+) =", section[0], re.MULTILINE)
    text = (written / "extensions.conf").read_text()
    assert {"CHARS", "TRUNKS", "MAX_CALL_S"} <= set(names)
    assert "\n[constants]" not in text
    for name in names:
        assert (f"${{{name}}}" in DIALPLAN, f"${{{name}}}" in text) == (True, False), name
    assert "${FILTER(0-9A-Za-z_+*#.@\\-,${EXTEN})}" in text
    assert "outside(one:two,${PBX_HELP}" in text


def test_the_dialplan_and_the_decision_count_to_the_same_number() -> None:
    """Phones may send a call on as often with control and standby dead as with both alive."""
    assert f"\nMAX_FORWARDS = {MAX_DIVERSIONS}\n" in DIALPLAN


def test_what_a_caller_wrote_is_filtered() -> None:
    """Wherever a dialled number or a caller's number is used, FILTER stands around it."""
    for line in DIALPLAN.splitlines():
        if line.startswith("exten => _[0-9*#],"):
            continue  # one character, named by the pattern
        for source in (
            "${EXTEN}",
            "${CALLERID(num)}",
            "${REDIRECTING(from-num)}",
            "${REDIRECTING(orig-num)}",
        ):
            for found in re.finditer(re.escape(source), line):
                assert re.search(r"FILTER\((\$\{CHARS\}|0-9),$", line[: found.start()]), line


def test_the_end_that_control_asks_for_passes_the_filter() -> None:
    """The extension that an answer names is one of [ended], and the one whose Hangup is let through."""
    ended = DIALPLAN.partition("\n[ended]\n")[2]
    assert re.search(r"^exten => _s!,1,", ended, re.MULTILINE)
    assert wire.SERVED.startswith("s")
    let_through = f"eventfilter(action(include),name(Hangup),header(Exten),method(exact)) = {wire.SERVED}\n"
    assert let_through in (asterisk.TEMPLATES / "manager.conf").read_text()


def test_who_answers_outside_is_told_where_a_group_rings() -> None:
    """Its call, and its members, dial at another extension than the one that the filter leaves out."""
    chosen = r'^OUT = \$\{IF\(\$\["\$\{PBX_END\}" = "s"\]\?(\w+):(\w+)\)\},1$'
    out = re.search(chosen, DIALPLAN, re.MULTILINE)
    assert out
    untold, told = out[1], out[2]
    dialled = re.search(r"^exten => _(\w+)!,1,Dial\(PJSIP/\$\{called\}@trunk-", DIALPLAN, re.MULTILINE)
    assert dialled
    assert untold.startswith(dialled[1])
    assert told.startswith(dialled[1])
    text = (asterisk.TEMPLATES / "manager.conf").read_text()
    left_out = re.findall(r"^eventfilter\(action\(exclude\),(.*)$", text, re.MULTILINE)
    assert left_out == [f"name(DialEnd),header(Exten),method(exact)) = {untold}"]
    assert told != untold


def test_no_event_that_somebody_reads_is_disabled() -> None:
    """What the AMI user's filters let through is not switched off before it reaches them."""
    text = (asterisk.TEMPLATES / "manager.conf").read_text()
    disabled = re.findall(r"^disabledevents = (\S+)$", text, re.MULTILINE)
    read = set(re.findall(r"^eventfilter\(.*?name\((\w+)\)", text, re.MULTILINE))
    assert len(disabled) == 1
    assert {"DialEnd", "Hangup", "ContactStatus", "FullyBooted"} <= read
    assert not read & set(disabled[0].split(","))


@pytest.mark.parametrize("what", [r"HANGUPCAUSE_KEYS\(", r",callerid_tag\)", r"CUT\(PBX_TAG"])
def test_what_may_hold_a_comma_is_set_by_itself(what: str) -> None:
    """MSet takes what stands behind a comma for another name, and the rest would be lost."""
    lines = [line for line in DIALPLAN.splitlines() if re.search(what, line)]
    assert lines
    assert not [line for line in lines if "MSet(" in line]
