"""Sound at the rate of telephones: what lies in their band stays as it is, what lies above is gone."""

import math
import struct

import pytest

from pbxcore.resampling import BLOCK, resampled

RATE_HZ, WANTED_HZ, LOUD = 22_050, 8_000, 8_000


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
    assert least <= _loudness(resampled(_tone(hz, 0.5), RATE_HZ, WANTED_HZ)) <= most


def test_blocks_join_without_a_seam() -> None:
    """A sound longer than a block is as loud at the seam as elsewhere, and as long as it was."""
    sound = resampled(_tone(1_000, 2.5), RATE_HZ, WANTED_HZ)
    assert len(sound) == 2 * int(2.5 * WANTED_HZ)
    assert _loudness(sound[2 * (BLOCK - 200) : 2 * (BLOCK + 200)]) == pytest.approx(1, abs=0.02)


def test_no_sound_is_no_sound() -> None:
    """An engine that says nothing gives an empty sound."""
    assert resampled(b"", RATE_HZ, WANTED_HZ) == b""
