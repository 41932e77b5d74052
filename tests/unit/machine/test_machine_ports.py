"""Ports move together, only when they may, and are remembered."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbxcore.machine import ports
from pbxcore.machine.errors import PortError
from pbxcore.settings import Ports, Settings, Trunk

NAMES = ("sip", "agi", "standby_agi", "ami", "http", "carrier")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Settings:
    """Settings whose default ports are free ones of this moment."""
    monkeypatch.setenv("PBXCORE_CONFIG", str(tmp_path / "nowhere"))
    numbers = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    chosen = Ports(**numbers, rtp_first=18_000, rtp_last=18_099)
    monkeypatch.setattr(ports, "DEFAULT", chosen)
    return Settings(state=tmp_path / "state", ports=chosen)


@pytest.fixture
def listener() -> Iterator[Callable[[int], None]]:
    """Give a function that takes a TCP port until the end of the test."""
    taken: list[socket.socket] = []

    def listen(port: int) -> None:
        taken.append(socket.create_server(("127.0.0.1", port)))

    yield listen
    for one in taken:
        one.close()


def test_a_port_set_on_purpose_stays_or_says_why(
    home: Settings, listener: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken and named by a variable: one sentence what, one what to do, nothing moved, nothing remembered."""
    monkeypatch.setenv("PBXCORE_PORTS__HTTP", str(home.ports.http))
    listener(home.ports.http)
    with pytest.raises(PortError) as refused:
        ports.take(home)
    assert f"port {home.ports.http} (http)" in refused.value.message
    assert "PBXCORE_PORTS__HTTP" in refused.value.remedy
    assert not (home.state / ports.MEMORY).exists()


def test_one_number_for_two_ports_is_refused(home: Settings) -> None:
    """The same number twice is told before anything listens."""
    twice = home.model_copy(update={"ports": home.ports.model_copy(update={"http": home.ports.sip})})
    with pytest.raises(PortError, match="named twice: sip and http") as refused:
        ports.take(twice)
    assert "PBXCORE_PORTS__HTTP" in refused.value.remedy


def test_where_phones_are_elsewhere_nothing_moves(home: Settings, listener: Callable[[int], None]) -> None:
    """A port that is taken stops the start: phones would go on looking for us where we were."""
    listener(home.ports.ami)
    with pytest.raises(PortError, match=rf"port {home.ports.ami} \(ami\)"):
        ports.take(home.model_copy(update={"bind": "0.0.0.0"}))


def test_an_address_this_machine_does_not_have_is_told(home: Settings) -> None:
    """A wrong `bind` says so instead of trying block after block of ports, and the remedy names no port."""
    with pytest.raises(PortError, match=r"does not have the address 192\.0\.2\.1") as refused:
        ports.take(home.model_copy(update={"bind": "192.0.2.1"}))
    assert "bind" in refused.value.remedy


def test_free_ports_stay_where_they_are(home: Settings) -> None:
    """Nothing moves when nothing is taken."""
    taken = ports.take(home)
    assert (taken.ports, taken.moved_by, taken.because) == (home.ports, 0, "")
    taken.release()


def test_a_taken_port_moves_all_and_is_remembered(home: Settings, listener: Callable[[int], None]) -> None:
    """All move by one block, the cause is named, and the next start takes the same ones at once."""
    listener(home.ports.ami)
    first = ports.take(home)
    assert first.moved_by == ports.STEP
    assert first.ports == Ports(
        **{name: number + ports.STEP for name, number in home.ports.model_dump().items()}
    )
    assert str(home.ports.ami) in first.because
    first.release()
    assert json.loads((home.state / ports.MEMORY).read_text()) == {"block": 1}
    second = ports.take(home)
    assert second.ports == first.ports
    assert f"remove {home.state / ports.MEMORY}" in second.because
    second.release()


def test_what_stays_has_not_moved(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every port was set on purpose, a block that is remembered moves nothing."""
    home.state.mkdir()
    (home.state / ports.MEMORY).write_text('{"block": 2}')
    monkeypatch.setenv("PBXCORE_PORTS", "{}")
    taken = ports.take(home)
    assert (taken.ports, taken.moved_by, taken.because) == (home.ports, 0, "")
    taken.release()


def test_two_copies_do_not_meet(home: Settings, tmp_path: Path) -> None:
    """While the first copy holds its ports, though nothing listens yet, the second takes the next block."""
    first = ports.take(home)
    second = ports.take(home.model_copy(update={"state": tmp_path / "other"}))
    assert second.moved_by == ports.STEP
    assert "another pbxcore" in second.because
    first.release()
    second.release()


def test_the_practice_carrier_is_looked_for_at_its_own_address(
    home: Settings, listener: Callable[[int], None]
) -> None:
    """Its port at 127.0.0.1 may be used by anybody; only the trunk's own address counts."""
    with_trunk = home.model_copy(update={"trunks": (Trunk(name="carrier", host="127.0.0.2", practice=True),)})
    listener(home.ports.carrier)
    taken = ports.take(with_trunk)
    assert taken.moved_by == 0
    taken.release()


@pytest.mark.parametrize(
    ("variables", "changed", "expected"),
    [
        ({}, {}, set()),
        ({}, {"sip": 5080}, {"sip"}),
        ({"PBXCORE_PORTS__SIP": "5060"}, {}, {"sip"}),
        ({"pbxcore_ports__ami": "5038"}, {"http": 80}, {"ami", "http"}),
        ({"PBXCORE_PORTS": "{}"}, {}, set(Ports.model_fields)),
    ],
)
def test_what_counts_as_set_on_purpose(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], changed: dict[str, int], expected: set[str]
) -> None:
    """A variable counts even at the default's value; the file's value counts when it is another one."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ports.explicit(Ports().model_copy(update=changed)) == expected
