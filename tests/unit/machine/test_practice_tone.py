"""What a practice phone has heard: where speech was missing."""

import io
import math
import wave
from pathlib import Path

import pytest

from pbxcore.practice import tone

SECOND = b"\0\0" * tone.RATE_HZ


def _sound(folder: Path, *parts: int) -> bytes:
    """Put seconds of tones together, 0 for silence."""
    heard = io.BytesIO()
    with wave.open(heard, "wb") as file:
        file.setparams((1, 2, tone.RATE_HZ, 0, "NONE", ""))
        for hz in parts:
            with wave.open(str(tone.write(folder / "part.wav", hz, duration_s=1))) as part:
                file.writeframes(part.readframes(tone.RATE_HZ) if hz else SECOND)
    return heard.getvalue()


@pytest.mark.parametrize(
    ("parts", "gap_s"),
    [((), math.inf), ((0,), math.inf), ((700,), math.inf), ((440,), 0.0), ((0, 440, 0), 0.0),
     ((440, 0, 440, 0, 0, 440), 2.0), ((440, 700, 440), 1.0)],
)  # fmt: skip
def test_the_longest_gap_in_speech(tmp_path: Path, parts: tuple[int, ...], gap_s: float) -> None:
    """Silence and another tone between two tones count, what comes before and after does not."""
    assert tone.longest_gap_s(_sound(tmp_path, *parts), 440) == gap_s


@pytest.mark.parametrize(
    ("parts", "heard_s"), [((), 0.0), ((0, 700), 0.0), ((440,), 1.0), ((440, 0, 700, 440), 2.0)]
)
def test_how_long_a_tone_is_heard(tmp_path: Path, parts: tuple[int, ...], heard_s: float) -> None:
    """Only the tone asked for counts, all its parts together."""
    assert tone.heard_s(_sound(tmp_path, *parts), 440) == heard_s
