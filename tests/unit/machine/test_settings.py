"""Mistakes in config/service.yaml end every command with one line and a remedy, never with a traceback."""

from pathlib import Path

import pytest

from pbxcore.cli.app import main

CARRIER = "{name: carrier, host: 127.0.0.2}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("bind: 127.0.0.1\ntrunks\n  - a: b\n", "line 3, is no YAML"),
        ("trunks: [}\n", "line 1, is no YAML"),
        (f"trunks: [{CARRIER}, {{name: carrier, host: 127.0.0.3}}]\n", "two have the name carrier"),
        (f"trunks: [{CARRIER}, {{name: backup, host: 127.0.0.2}}]\n", "two have the host 127.0.0.2"),
        ("trunks: [{name: carrier, host: not a host}]\n", "trunks.0.host is wrong"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    written: str,
    said: str,
) -> None:
    """It names the place and what to do, whichever command met it first."""
    (tmp_path / "service.yaml").write_text(written)
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path))
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("sys.argv", ["pbxcore", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in shown
    assert "→ mend" in shown
