"""A past call is told from what Asterisk recorded and what was decided, by any of its names."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore import calls, recent
from pbxcore.calls import What
from pbxcore.cli import app
from pbxcore.machine.instance import Instance
from pbxcore.machine.running import COMMAND_SOCKET
from pbxcore.settings import Settings

SAMPLES = Path(__file__).with_name("samples") / "legs.tsv"
GROUP = "pbx667vv7yx-1795365204.8"  # two phones ring in vain, a mobile answers
MOBILE = "pbx667vv7yx-1795365210.11"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine with true records of Asterisk, and no database."""
    one = Settings(state=tmp_path, database="postgresql://nobody@127.0.0.1:1/none")
    one.spool.mkdir(parents=True)
    shutil.copy(SAMPLES, one.spool / "legs.tsv")
    return one


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run a command on that machine."""
    monkeypatch.setenv("PBXCORE_STATE", str(settings.state))
    monkeypatch.setenv("PBXCORE_DATABASE", settings.database)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.output

    return run


def decided(settings: Settings, linkedid: str) -> None:
    """Let the standby have decided a call, and leave half a line behind it."""
    because = [{"rule": "groups.sales", "text": "rings two phones"}]
    line = {"time": "2026-11-22T16:33:24.900000+00:00", "call": linkedid, "linkedid": linkedid,
            "version": "acme@1", "micros": 400,
            "facts": {"caller": "+436641110001", "endpoint": "trunk-carrier", "dialled": "+493055500160"},
            "decision": {"version": "acme@1", "steps": [], "because": because}}  # fmt: skip
    settings.decisions.mkdir()
    (settings.decisions / "standby.ndjson").write_text(json.dumps(line) + "\n" + json.dumps(line)[:-9])


def test_a_call_nobody_knows_is_none(settings: Settings) -> None:
    """Neither a part of a name nor a stranger's name finds a call."""
    assert calls.find(settings, "pbx667vv7yx-1795365204") is None
    assert calls.find(settings, "nothing") is None


@pytest.mark.parametrize("name", [GROUP, MOBILE], ids=["linkedid", "leg"])
def test_a_call_is_found_by_each_of_its_names(settings: Settings, name: str) -> None:
    """Who was called, who left over which trunk on whose account, and how it ended, in order of time."""
    call = calls.find(settings, name)
    assert call
    assert [(one.what, one.who) for one in call.happenings] == [
        (What.CALLS, "trunk-carrier"),
        (What.RINGS, "acme-p10"),
        (What.RINGS, "acme-p11"),
        (What.STOPS, "acme-p11"),
        (What.STOPS, "acme-p10"),
        (What.LEAVES, "+436641110003"),
        (What.ANSWERS, "+436641110003"),
        (What.TALKS, "trunk-carrier"),
        (What.GONE, "+436641110003"),
        (What.ENDS, "trunk-carrier"),
        (What.GONE, "trunk-carrier"),
    ]
    assert call.legs == (MOBILE,)
    leaves = next(one for one in call.happenings if one.what is What.LEAVES)
    assert (leaves.words["payer"], leaves.words["why"]) == ("acme/60", "forward")


def test_a_leg_that_a_limit_forbade_has_rung_nowhere(settings: Settings) -> None:
    """Asterisk makes its channel, counts it, and hangs it up before anything is sent: it has no TRUNK_LEG."""
    lines = SAMPLES.read_text().splitlines(keepends=True)
    sent = [one for one in lines if not (f"\t{MOBILE}\t" in one and "CHAN_START\t" not in one)]
    hung_up = next(one for one in lines if f"\t{MOBILE}\t" in one and "\tHANGUP\t" in one)
    (settings.spool / "legs.tsv").write_text("".join([*sent, hung_up]))
    call = calls.find(settings, GROUP)
    assert call
    assert [one.what for one in call.happenings if one.channel == MOBILE] == [What.UNCALLED]
    (settings.spool / "legs.tsv").write_text("".join(sent))  # it was made a moment ago
    call = calls.find(settings, GROUP)
    assert call
    assert [one.what for one in call.happenings if one.channel == MOBILE] == [What.RINGS]


def test_records_of_files_that_were_renamed_belong_to_the_call(settings: Settings) -> None:
    """A call is whole though the spool changed its file in the middle of it."""
    whole = calls.find(settings, GROUP)
    lines = SAMPLES.read_text().splitlines(keepends=True)
    middle = [number for number, line in enumerate(lines) if f"\t{GROUP}\t" in line][6]
    (settings.spool / "legs.tsv.1795365200053090-0a1b2c3d").write_text("".join(lines[:middle]))
    (settings.spool / "legs.tsv").write_text("".join(lines[middle:]))
    assert calls.find(settings, GROUP) == whole


def test_the_story_is_told_without_the_database(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Decision, reasons and what happened stand there; that no price does is said."""
    decided(settings, GROUP)
    code, said = command("explain", MOBILE)
    assert code == 0, said
    for expected in (
        f"Call {GROUP}",
        "standby decides by acme@1",
        "rings two phones",
        "acme-p11 rings",
        f"+436641110003 is called over carrier, paid by acme/60 (forward), 14400 s at most; leg {MOBILE}",
        "trunk-carrier brings a call from +436641110001 to +493055500160",
        "acme-p11 stops ringing after 5.0 s",
        "the outcome for trunk-carrier: answered, decided by control",
        "no prices",
    ):
        assert expected in said, expected
    order = [said.index(word) for word in ("acme-p10 rings", "+436641110003 is called", "the outcome for")]
    assert order == sorted(order)


def test_a_decision_that_died_with_its_process_is_missed(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Asterisk's record says that control had decided, and by which version; that no log says why is said."""
    decided(settings, GROUP)  # by the standby, so that of control nothing is there
    missing = "control decided by acme@1 for trunk-carrier, and its log does not say why"
    assert missing in command("explain", GROUP)[1]
    (one,) = json.loads(command("explain", GROUP, "--json")[1])["unlogged"]
    assert (one["channel"], one["by"], one["version"]) == (GROUP, "control", "acme@1")
    (settings.decisions / "standby.ndjson").rename(settings.decisions / "control.ndjson")
    assert missing not in command("explain", GROUP)[1]
    assert json.loads(command("explain", GROUP, "--json")[1])["unlogged"] == []


def test_the_constant_dialplan_has_no_reasons_to_miss(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """A call that Asterisk ended by itself, and one that was given up before its answer, are in no log."""
    lines = SAMPLES.read_text()
    for by, version in (("constant", ""), ("control", "")):
        said = lines.replace("|by=control|version=acme@1|", f"|by={by}|version={version}|")
        (settings.spool / "legs.tsv").write_text(said)
        told = command("explain", GROUP)[1]
        assert "no decision about this call is kept on this machine" in told
        assert "does not say why" not in told


def test_the_last_calls_are_listed_by_their_names(
    settings: Settings, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When, from whom to whom, how they ended; the name in the list explains the call."""
    decided(settings, GROUP)
    code, said = command("explain", "--json")
    listed = json.loads(said)
    assert (code, len(listed)) == (0, len({one["linkedid"] for one in listed}))
    assert [one["at"] for one in listed] == sorted((one["at"] for one in listed), reverse=True)
    (one,) = [one for one in listed if one["linkedid"] == GROUP]
    assert (one["caller"], one["dialled"], one["outcome"]) == ("+436641110001", "+493055500160", "answered")
    code, table = command("explain")
    assert code == 0
    assert all(word in table for word in ("+436641110001", "+493055500160", "answered", GROUP))
    assert command("explain", listed[-1]["linkedid"])[0] == 0
    monkeypatch.setattr(recent, "TAIL", 2_000)  # begins in the midst of a line
    assert 0 < len(recent.last(settings, 99, None)) < len(listed)
    assert recent.last(settings, 1, None) == recent.last(settings, 99, None)[:1]


def _under_way(settings: Settings) -> None:
    """Leave the records of a call that are there while its two parties talk."""
    lines = [line for line in SAMPLES.read_text().splitlines(keepends=True) if f"\t{GROUP}\t" in line]
    own = f"\t{GROUP}\t{GROUP}\t"
    talks = next(at for at, line in enumerate(lines) if "\tANSWER\t" in line and own in line)
    (settings.spool / "legs.tsv").write_text("".join(lines[: talks + 1]))


def _asterisk_runs(settings: Settings, since_s: int) -> None:
    """Let a machine run whose Asterisk started at that second."""
    Instance(settings).write()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    (settings.run_dir / COMMAND_SOCKET).touch()
    os.utime(settings.run_dir / COMMAND_SOCKET, (since_s, since_s))


def test_who_calls_is_told_while_the_call_goes_on(settings: Settings) -> None:
    """The caller does not ring: the first part of the story reads the same before and after the end."""
    whole = calls.find(settings, GROUP)
    _under_way(settings)
    call = calls.find(settings, GROUP)
    assert whole
    assert call
    assert [(one.what, one.who) for one in call.happenings[:1]] == [(What.CALLS, "trunk-carrier")]
    assert call.happenings == whole.happenings[: len(call.happenings)]


@pytest.mark.parametrize(
    ("started_s", "said"),
    [
        (None, "no end was recorded"),
        (1_795_365_300, "no end was recorded: Asterisk has started anew since"),
        (1_795_365_100, "in progress"),
    ],
    ids=["stopped", "later", "earlier"],
)
def test_a_call_goes_on_as_long_as_its_asterisk_does(
    settings: Settings, command: Callable[..., tuple[int, str]], started_s: int | None, said: str
) -> None:
    """A call whose end was lost with its Asterisk is not told as one under way, neither listed nor alone."""
    _under_way(settings)
    decided(settings, GROUP)
    if started_s is not None:
        _asterisk_runs(settings, started_s)
    for words in ((), (GROUP,)):
        code, told = command("explain", *words)
        assert (code, "not known yet" in told) == (0, False)
        assert said in told, told
        assert (": Asterisk has started" in told) == (": Asterisk has started" in said)
    assert json.loads(command("explain", "--json")[1])[0]["unended"] == said


def test_a_call_that_all_have_left_goes_on_no_more(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Its outcome was not recorded, but that its channels hung up was."""
    lines = [one for one in SAMPLES.read_text().splitlines(keepends=True) if f"\t{GROUP}\t" in one]
    (settings.spool / "legs.tsv").write_text("".join(one for one in lines if "CALL_END" not in one))
    decided(settings, GROUP)
    _asterisk_runs(settings, 1)
    for words in ((), (GROUP,)):
        assert "no end was recorded" in command("explain", *words)[1]


def test_the_end_of_a_call_that_was_joined_with_another_is_its_own(settings: Settings) -> None:
    """A transfer gives the channel that asked to another call, under whose name its outcome is recorded."""
    decided(settings, GROUP)
    lines = SAMPLES.read_text().splitlines(keepends=True)
    ends = f"\t{GROUP}\t{GROUP}\t"
    joined = [one.replace(ends, f"\t{GROUP}\tother-1.1\t") if "CALL_END" in one else one for one in lines]
    (settings.spool / "legs.tsv").write_text("".join(joined))
    (one,) = [one for one in recent.last(settings, 99, None) if one.linkedid == GROUP]
    assert (one.outcome, one.unended) == ("answered", "")


def test_without_calls_there_is_nothing_to_list(
    settings: Settings, command: Callable[..., tuple[int, str]]
) -> None:
    """Exit code 1, and how to get one."""
    (settings.spool / "legs.tsv").unlink()
    code, said = command("explain")
    assert (code, "no call is recorded" in said) == (1, True)


def test_what_is_not_known_here_is_said(command: Callable[..., tuple[int, str]]) -> None:
    """Without database and records nothing can be said: exit code 3, and what to start."""
    code, said = command("explain", "nothing")
    assert (code, "does not answer" in said) == (3, True)
