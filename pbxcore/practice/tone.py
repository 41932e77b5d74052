"""Pure tones: written as the sound of a tenant, and recognised in what a phone has heard.

Owns one file format, WAV of 8 kHz, 16 bit, mono. Refuses noise: what is no clear tone is nothing.
"""

import io
import math
import struct
import wave
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

RATE_HZ = 8_000
AMPLITUDE = 8_000
WINDOW = RATE_HZ // 10  # samples that are listened to together: a tenth of a second, 10 Hz apart
CLEAR = 0.7  # a window's power that a tone must have; A-law and a jitter buffer cost a little
AUDIBLE = 100.0  # root mean square of a window, of 32,767


def write(path: Path, frequency_hz: int, *, duration_s: int = 2) -> Path:
    """Write a tone; a whole number of seconds, so that it goes on without a click when it is repeated."""
    turn = 2 * math.pi * frequency_hz / RATE_HZ
    samples = [round(AMPLITUDE * math.sin(turn * n)) for n in range(RATE_HZ * duration_s)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def heard(sound: bytes, among: Sequence[int]) -> tuple[int, ...]:
    """Give the tones of a WAV file one after the other, out of some frequencies, as `uniq` would.

    What is heard for a tenth of a second only, at the seam between two tones, is left out.
    """
    windows = [_tone(window, among) for window in _windows(sound)]
    runs = [(tone, len(list(run))) for tone, run in groupby(windows)]
    lasting = [tone for tone, length in runs if tone and length > 1]
    return tuple(tone for tone, _ in groupby(lasting))


def heard_s(sound: bytes, frequency_hz: int) -> float:
    """Give how long a tone is heard in a WAV file, in seconds, all together."""
    there = [_tone(window, (frequency_hz,)) for window in _windows(sound)]
    return sum(map(bool, there)) * WINDOW / RATE_HZ


def longest_gap_s(sound: bytes, frequency_hz: int) -> float:
    """Give the longest time, in seconds, in which a tone that began is not heard; infinite without one."""
    there = [_tone(window, (frequency_hz,)) != 0 for window in _windows(sound)]
    if True not in there:
        return math.inf
    first, last = there.index(True), len(there) - there[::-1].index(True)
    gaps = [len(list(run)) for clear, run in groupby(there[first:last]) if not clear]
    return max(gaps, default=0) * WINDOW / RATE_HZ


def _windows(sound: bytes) -> Iterator[tuple[int, ...]]:
    if not sound:
        return
    with wave.open(io.BytesIO(sound)) as file:
        raw = file.readframes(file.getnframes())
    samples = struct.unpack(f"<{len(raw) // 2}h", raw[: len(raw) // 2 * 2])
    for start in range(0, len(samples) - WINDOW + 1, WINDOW):
        yield samples[start : start + WINDOW]


def _tone(window: Sequence[int], among: Sequence[int]) -> int:
    """Give the tone that makes up most of a window; 0 for silence and for anything else."""
    power = sum(sample * sample for sample in window) / len(window)
    if power < AUDIBLE**2:
        return 0
    share, tone = max((_power(window, tone) / power, tone) for tone in among)
    return tone if share >= CLEAR else 0


def _power(window: Sequence[int], frequency_hz: int) -> float:
    """Give the power of one frequency in a window, by projecting it on sine and cosine."""
    turn = 2 * math.pi * frequency_hz / RATE_HZ
    sine = sum(sample * math.sin(turn * n) for n, sample in enumerate(window))
    cosine = sum(sample * math.cos(turn * n) for n, sample in enumerate(window))
    return 2 * (sine**2 + cosine**2) / len(window) ** 2
