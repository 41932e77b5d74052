"""One machine per state folder, known to other commands while it runs and gone without a trace after."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pbxcore.cli import app
from pbxcore.machine import instance
from pbxcore.machine.errors import RunningError
from pbxcore.machine.instance import Instance, alone
from pbxcore.machine.running import running, settings_of_running
from pbxcore.settings import Ports, Settings, Trunk

CONFIG = Path(__file__).parents[3] / "config"
SECOND = """
import sys
from pathlib import Path
from pbxcore.machine.instance import alone
from pbxcore.settings import Settings
with alone(Settings(state=Path(sys.argv[1]))):
    pass
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a state folder that is not there yet, found by other commands too."""
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path / "state"))
    return Settings()


def test_a_second_machine_on_one_state_is_told_who_runs(settings: Settings) -> None:
    """The process id stands in the message and in the remedy; the first goes on."""
    with alone(settings):
        second = subprocess.run(
            [sys.executable, "-c", SECOND, str(settings.state)], capture_output=True, text=True, check=False
        )
        assert settings.run_dir.is_dir()
    assert "RunningError" in second.stderr
    assert str(os.getpid()) in second.stderr


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Of the state folder and of documents that are not there: the reason, and the variable to set."""
    (tmp_path / "file").touch()
    runner = CliRunner(env={"PBXCORE_CONFIG": str(CONFIG), "PBXCORE_STATE": str(tmp_path / "file" / "state")})
    said = runner.invoke(app, ["run"])
    assert (said.exit_code, "PBXCORE_STATE" in said.output) == (3, True), said.output
    runner = CliRunner(
        env={"PBXCORE_CONFIG": str(tmp_path / "nowhere"), "PBXCORE_STATE": str(tmp_path / "s")}
    )
    said = runner.invoke(app, ["run"])
    assert (said.exit_code, "PBXCORE_CONFIG" in said.output) == (3, True), said.output
    assert not (tmp_path / "s").exists()


def test_somebody_elses_folder_is_not_used(tmp_path: Path) -> None:
    """A link that waits in the place of the folder of sockets is refused."""
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with pytest.raises(RunningError):
        instance.make_private(tmp_path / "run")


def test_nothing_but_the_state_stays(settings: Settings) -> None:
    """After the end there is no folder of sockets and no file that says a machine runs."""
    with alone(settings):
        Instance(settings, up=True).write()
        assert settings.run_dir.stat().st_mode & 0o777 == 0o700
        (settings.run_dir / "control.sock").touch()
    assert [path.name for path in settings.state.iterdir()] == [instance.LOCK]
    assert running() is None


def test_other_commands_use_what_the_machine_uses(settings: Settings) -> None:
    """Moved ports, the trunk's moved port and the database reach every command on the same state."""
    trunk = Trunk(name="carrier", host="127.0.0.2", port=6065, practice=True)
    moved = settings.model_copy(
        update={"ports": Ports(sip=6060), "trunks": (trunk,), "database": "postgresql://x/y"}
    )
    with alone(moved):
        Instance(moved).write()
        assert running() is None, "not before everything works"
        Instance(moved, up=True).write()
        found = settings_of_running()
        assert running() is not None
    assert (found.ports.sip, found.trunks, found.database) == (6060, (trunk,), "postgresql://x/y")
    assert settings_of_running().ports.sip == Settings().ports.sip


@pytest.mark.parametrize("command", ["check", "apply", "diff"])
def test_a_trunk_that_the_machine_does_not_know_yet_is_told_alike(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in service.yaml, the machine was started before: each command says so, and what helps."""
    (tmp_path / "service.yaml").write_text(
        "version: 1\ntrunks: [{name: carrier, host: 127.0.0.2}, {name: alpine, host: 127.0.0.3}]\n"
    )
    acme = (CONFIG / "tenants" / "acme.yaml").read_text()
    document = tmp_path / "acme.yaml"
    document.write_text(f"{acme}trunks: [alpine, carrier]\n")
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path))
    monkeypatch.setenv("PBXCORE_STATE", str(tmp_path / "state"))
    started = Settings(trunks=(Trunk(name="carrier", host="127.0.0.2"),))
    with alone(started):
        Instance(started, up=True).write()
        done = CliRunner().invoke(app, [command, str(document)], env={"COLUMNS": "200"})
    assert done.exit_code == 1, done.output
    assert "the running machine does not know it yet" in done.output
    assert "start the machine again" in done.output
    assert "[unstarted-trunk]" in done.output
    assert CliRunner().invoke(app, ["check", str(document)]).exit_code == 0, "once it is started again"


def test_a_machine_that_is_dead_does_not_count(settings: Settings) -> None:
    """A file that a killed machine left says nothing."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    settings.state.mkdir()
    settings.machine_file.write_text(json.dumps({"pid": gone.pid, "up": True}))
    assert running() is None


def test_what_a_killed_machine_left_is_ended(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its processes get some seconds, then they are killed; somebody else's of the same id is not."""
    monkeypatch.setattr(instance, "LEFTOVER_LIMIT_S", 0.1)
    ours, others = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    settings.state.mkdir()
    written = {"ours": [ours.pid, instance._born(ours.pid)], "others": [others.pid, 12345]}
    settings.machine_file.write_text(json.dumps({"processes": written}))
    instance.end_leftovers(settings.machine_file)
    assert ours.wait(60) == -9
    assert others.poll() is None
    others.kill()
    others.wait()


def test_sockets_fit_into_their_addresses(tmp_path: Path) -> None:
    """A state folder with a long path gets its sockets below /tmp, the same place for each command."""
    long = tmp_path / ("x" * 120)
    assert len(os.fsencode(Settings(state=long).run_dir / "control-and-more.sock")) <= 107
    assert Settings(state=long).run_dir == Settings(state=long).run_dir
    assert Settings(state=Path("/srv/pbx")).run_dir == Path("/srv/pbx/run")
