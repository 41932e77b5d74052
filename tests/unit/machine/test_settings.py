"""Mistakes in config/service.yaml end every command with their lines and remedies, never with a traceback."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxcore.cli.app import main
from pbxcore.settings import NO_SETTINGS, Ports, Settings

CARRIER = "{name: carrier, host: 127.0.0.2}"


@pytest.fixture
def status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Give what a command says, line by line, on a machine with these settings; exit code 2."""
    file = tmp_path / "service.yaml"
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path))
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("sys.argv", ["pbxcore", "status"])

    def call(written: str, encoding: str = "utf-8") -> list[str]:
        file.write_text(written, encoding=encoding)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return capsys.readouterr().err.replace(str(file), "FILE").splitlines()

    return call


@pytest.mark.parametrize(
    ("written", "said", "remedy"),
    [
        ("bind: 127.0.0.1\ntrunks\n  - a: b\n", "FILE, line 3: this is no YAML", "look at this line"),
        ("trunks: [}\n", "FILE, line 1: this is no YAML", "look at this line"),
        (
            f"trunks:\n- {CARRIER}\n- {CARRIER}\n",
            "FILE, line 3: two trunks have the name carrier",
            "its own name",
        ),
        ("- bind\n", "FILE, line 1: the file holds no keys", "write keys"),
        ("bind: 127.0.0.1\nbind: 127.0.0.2\n", "FILE, line 2: bind is given a second time", "leave one"),
        (
            f"trunks:\n- {CARRIER}\n- {{name: backup, host: 127.0.0.2}}\n",
            "FILE, line 3: two trunks have the host 127.0.0.2",
            "its own host",
        ),
        (
            "version: 1\ntrunks:\n- nmae: carrier\n  host: 127.0.0.2\n",
            "FILE, line 3: 'nmae' is no key here",
            "`name`?",
        ),
        ("bnid: 127.0.0.1\n", "FILE, line 1: 'bnid' is no key here", "did you mean `bind`?"),
        (
            "ports:\n  sip: 5060\n  http: eighty\n",
            "FILE, line 3: 'http' is the text 'eighty'",
            "a whole number",
        ),
        ("trunks:\n- name: carrier\n", "FILE, line 2: 'host' is missing", "add `host:`"),
        (
            f"trunks: [{CARRIER}]\nroutes:\n- trunks: [carrier]\n- trunks: [alpine]\n",
            "FILE, line 4: there is no trunk alpine",
            "there is carrier",
        ),
        ("version: 1\n\nbind: nonsense\n", "FILE, line 3: bind: 'nonsense' is no address", "IPv4 address"),
        (
            "smtp:\n  host: mail\n  from: a@b\n  user: a\n  tls: none\n",
            "FILE, line 5: the password would be sent in clear",
            "tls: starttls",
        ),
    ],
)
def test_a_mistake_has_its_line_and_a_remedy(
    status: Callable[[str], list[str]], written: str, said: str, remedy: str
) -> None:
    """It names the file, the line and what to do, whichever command met it first."""
    first, second, *_ = status(written)
    assert first.startswith(f"✗ {said}")
    assert second.startswith("  → ")
    assert remedy in second


def test_all_mistakes_are_told_at_once(status: Callable[[str], list[str]]) -> None:
    """Nobody has to start three times to see the third one."""
    said = status("bind: nonsense\nports: {http: 0}\nbnid: 1\n")
    assert [line for line in said if line.startswith("✗")] == [
        "✗ FILE, line 1: bind: 'nonsense' is no address",
        "✗ FILE, line 2: 'http' is the number '0'",
        "✗ FILE, line 3: 'bnid' is no key here",
    ]


def test_a_mistake_in_a_variable_names_the_variable(
    status: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a variable says speaks before the file, so the file's line would lead astray."""
    monkeypatch.setenv("PBXCORE_PORTS__HTTP", "eighty")
    said = status("ports: {http: 8080}\n")
    assert said[0] == "✗ PBXCORE_PORTS__HTTP: 'http' is the text 'eighty'"
    monkeypatch.delenv("PBXCORE_PORTS__HTTP")
    monkeypatch.setenv("PBXCORE_TRUNKS", "carrier")
    assert status("")[0] == "✗ PBXCORE_TRUNKS is no JSON"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("PBXCORE_MAX_CAL_S", "did you mean PBXCORE_MAX_CALL_S?"),
        ("PBXCORE_PORTS_HTTP", "did you mean PBXCORE_PORTS__HTTP?"),
        ("PBXCORE_PORTS__HTPP", "did you mean PBXCORE_PORTS__HTTP?"),
        ("PBXCORE_SMTP__FORM", "did you mean PBXCORE_SMTP__FROM?"),
        ("PBXCORE_BIND__SIP", "did you mean PBXCORE_BIND?"),
        ("PBXCORE_PORT", "did you mean PBXCORE_PORTS?"),
        ("pbxcore_max_cal_s", "did you mean PBXCORE_MAX_CALL_S?"),
        ("PBXCORE_ZZZ", "unset it; docs/settings.md lists the settings"),
    ],
)
def test_a_variable_that_is_no_setting_is_told(
    status: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, name: str, remedy: str
) -> None:
    """A slip in a name does not leave the machine with another setting than its operator believes."""
    monkeypatch.setenv(name, "5080")
    said = status("smtp: {host: mail, from: a@b}\n")
    assert said == [f"✗ {name.upper()} is no setting", f"  → {remedy}"]


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of the supervisor, of tests and of containers that are linked to a service of our name."""
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path))
    for name in (*NO_SETTINGS, "PBXCORE_SERVICE_HOST", "PBXCORE_SERVICE_PORT_SIP", "PBXCORE_WEB_SERVICE_PORT",
                 "PBXCORE_PORT_5060_UDP_ADDR"):  # fmt: skip
        monkeypatch.setenv(name, "10.0.0.1")
    monkeypatch.setenv("PBXCORE_PORT", "tcp://10.0.0.1:8080")
    assert Settings().ports == Ports()


def test_every_variable_of_the_house_is_known() -> None:
    """Whatever stands in code, tests and pages is a setting or is named as none."""
    house = Path(__file__).parents[3]
    files = [file for folder in ("pbxcore", "docs", ".ci", "tests") for file in (house / folder).rglob("*")]
    texts = [file.read_text() for file in files if file.suffix in {".py", ".md", ""} and file.is_file()
             and file != Path(__file__)]  # fmt: skip
    named = {name for text in texts for name in re.findall(r"\bPBXCORE_[A-Z_]*[A-Z]", text)}
    heads = {name.removeprefix("PBXCORE_").partition("__")[0].lower() for name in named - NO_SETTINGS}
    assert "PBXCORE_HEARTBEAT_FD" in named
    assert heads <= Settings.model_fields.keys()


def test_what_is_missing_beside_a_variable_names_the_variable(
    status: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says nothing of a mail server; the line of something else in it would lead astray."""
    monkeypatch.setenv("PBXCORE_SMTP__PASSWORD", "secret")
    assert status("bind: 127.0.0.1\n") == [
        "✗ PBXCORE_SMTP__PASSWORD: 'host' is missing",
        "  → set PBXCORE_SMTP__HOST, too, or write `smtp` in FILE",
        "✗ PBXCORE_SMTP__PASSWORD: 'from' is missing",
        "  → set PBXCORE_SMTP__FROM, too, or write `smtp` in FILE",
    ]
    assert status("smtp:\n  host: mail\n")[0] == "✗ FILE, line 1: 'from' is missing"


def test_a_remedy_ends_with_its_example(status: Callable[[str], list[str]]) -> None:
    """Brackets are no markup."""
    assert status("trunks: carrier\n")[1] == "  → write a list: [first, second]"


def test_a_file_that_is_no_text_is_told(status: Callable[..., list[str]]) -> None:
    """Latin letters of another time are one line, too."""
    written = "version: 1\nbind: caf\xe9\n"
    assert status(written, encoding="latin-1")[0] == "✗ FILE, line 2: the file is not UTF-8"
