"""Mistakes in config/service.yaml end every command with their lines and remedies, never with a traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pbxcore.cli.app import main

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


def test_a_file_that_is_no_text_is_told(status: Callable[..., list[str]]) -> None:
    """Latin letters of another time are one line, too."""
    assert status("bind: caf\xe9\n", encoding="latin-1")[0] == "✗ FILE, line 1: the file is not UTF-8"
