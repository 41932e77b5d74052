"""Sound at the rate of telephones: what lies in their band stays as it is, what lies above is gone."""

import math
import struct

import pytest

from pbxcore.speech import resampled

RATE_HZ, LOUD = 22_050, 8_000


def _tone(hz: int, seconds: float) -> bytes:
    count = int(RATE_HZ * seconds)
    return struct.pack(
        f"<{count}h", *(round(LOUD * math.sin(2 * math.pi * hz * n / RATE_HZ)) for n in range(count))
    )


def _loudness(sound: bytes) -> float:
    """Give the loudness of the middle of a sound, 1 for that of `_tone`."""
    samples = struct.unpack(f"<{len(sound) // 2}h", sound)[100:-100]
    return math.sqrt(2 * sum(one * one for one in samples) / len(samples)) / LOUD


@pytest.mark.parametrize(
    ("hz", "least", "most"),
    [(300, 0.98, 1.02), (1_000, 0.98, 1.02), (3_000, 0.98, 1.02), (5_000, 0, 0.01), (9_000, 0, 0.01)],
)
def test_a_tone_is_kept_or_gone(hz: int, least: float, most: float) -> None:
    """Below 3.4 kHz nothing is lost; above 4 kHz nothing is folded back into speech."""
    assert least <= _loudness(resampled(_tone(hz, 0.5), RATE_HZ)) <= most


def test_a_sound_is_as_long_as_it_was() -> None:
    """Nothing of a text is cut off, and nothing is put behind it."""
    assert len(resampled(_tone(1_000, 2.5), RATE_HZ)) == pytest.approx(2 * 2.5 * 8_000, abs=2)


def test_no_sound_is_no_sound() -> None:
    """An engine that says nothing gives an empty sound."""
    assert resampled(b"", RATE_HZ) == b""
