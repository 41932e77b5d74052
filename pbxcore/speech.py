"""Texts become sounds of a tenant: espeak-ng speaks them when a document is put in force, not during a call.

Owns finding the engine (the machine's own, or one of the private tree that `pbxcore sounds engine` makes),
and `<state>/sounds/<tenant>/spoken/<language>-<digest>.wav`, with a mark beside those that are out of use.
What is there is not spoken again. Refuses to judge a text or a language: that is done in the check
(`dialplan.checks.sounds`).
"""

import io
import os
import shutil
import subprocess
import time
import wave
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from dialplan.plan import Plan
from dialplan.spoken import FOLDER, Spoken
from pbxcore.machine import debian
from pbxcore.sounds import SUFFIX

ENGINE = "espeak-ng"
TREE = "speech-root"  # beside the sounds
WORDS_A_MINUTE = "150"  # a little slower than its own: on the telephone
LIMIT_S = 30  # the longest text takes less than one
RATE_HZ = 8_000  # of what Asterisk plays in every call
HEAD = 44  # bytes of a WAV file before its samples
KEPT_S = 86_400  # so long a sound stays that no plan names: a call may have been told to play it


class SpeechError(Exception):
    """A text that could not be spoken; nothing is in force that needs it."""

    code = "speech"


def engine(state: Path) -> tuple[str, ...]:
    """Give the command that starts the engine; nothing where there is none."""
    own = shutil.which(ENGINE)
    if own:
        return (own,)
    root = state / TREE
    if not debian.is_whole(root, (ENGINE,)):
        return ()
    folder = debian.libraries(root)
    loader, option, _, *program = debian.command(root, ENGINE)
    # The engine is linked against libpulse, which it never uses and which finds its own part by no search.
    return (loader, option, f"{folder}:{folder / 'pulseaudio'}", *program, f"--path={folder}")


def languages(state: Path) -> frozenset[str]:
    """Give the ISO 639 codes of the languages that the engine speaks; none without an engine."""
    words = engine(state)
    return _languages(words) if words else frozenset()


@lru_cache(maxsize=4)  # an engine does not learn while we run
def _languages(words: tuple[str, ...]) -> frozenset[str]:
    listed = _run((*words, "--voices"), "").decode(errors="replace")
    columns = (line.split() for line in listed.splitlines()[1:])  # priority, language, age/gender, …
    return frozenset(column[1].partition("-")[0] for column in columns if len(column) > 1)


def speak(state: Path, tenant: str, texts: Iterable[Spoken]) -> None:
    """Make the sounds of texts that are not there yet.

    Raises:
        SpeechError: there is no engine, or it failed.
        OSError: the sound cannot be kept.
    """
    for text in texts:
        place = state / "sounds" / tenant / f"{text.name}{SUFFIX}"
        _unnamed(place).unlink(missing_ok=True)  # a plan that names it is on its way
        if not place.exists():
            make(state, place, text)


def make(state: Path, place: Path, text: Spoken) -> None:
    """Make the sound of a text; who hears an older one in that place hears it to its end.

    Raises:
        SpeechError: there is no engine, or it failed.
        OSError: the sound cannot be kept.
    """
    _keep(place, _wav(_spoken(state, text)))


def forget(sounds: Path, plan: Plan) -> None:
    """Remove sounds that the tenant's plan in force has not named for a day; mark those it does not name."""
    named = {text.name for one in plan.announcements.values() for text in one.spoken}
    for sound in (sounds / plan.tenant / FOLDER).glob(f"*{SUFFIX}"):
        unnamed = _unnamed(sound)
        if f"{FOLDER}/{sound.stem}" in named:
            unnamed.unlink(missing_ok=True)
        elif not unnamed.exists():
            unnamed.touch()
        elif unnamed.stat().st_mtime < time.time() - KEPT_S:
            sound.unlink(missing_ok=True)
            unnamed.unlink(missing_ok=True)


def _unnamed(sound: Path) -> Path:
    """Give the mark beside a sound that no plan names; it is as old as that."""
    return sound.with_suffix(".unnamed")


def _spoken(state: Path, text: Spoken) -> bytes:
    """Give what the engine says, as samples of 16 bit at the rate of telephones."""
    words = engine(state)
    if not words:
        raise SpeechError("this machine has nothing that speaks texts")
    said = _run((*words, "-v", text.language, "-s", WORDS_A_MINUTE, "--stdin", "--stdout"), text.text)
    try:
        with wave.open(io.BytesIO(said)) as file:
            # What is piped has no length in its head: all that comes is sound.
            return resampled(said[HEAD:][: (len(said) - HEAD) & ~1], file.getframerate())
    except (wave.Error, EOFError) as no_sound:
        raise SpeechError(f"{ENGINE} gave no sound: {no_sound}") from no_sound


def resampled(samples: bytes, rate_hz: int) -> bytes:
    """Bring samples of 16 bit to the rate of telephones; what lies above their band is filtered away."""
    import numpy as np  # noqa: PLC0415 — only who speaks waits for NumPy
    import soxr  # noqa: PLC0415 — it brings NumPy, too

    return soxr.resample(np.frombuffer(samples, dtype="<i2"), rate_hz, RATE_HZ).astype("<i2").tobytes()


def _run(words: tuple[str, ...], text: str) -> bytes:
    try:
        done = subprocess.run(words, input=text.encode(), capture_output=True, timeout=LIMIT_S, check=False)  # noqa: S603 — our own words
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise SpeechError(f"{ENGINE} does not run: {failed}") from failed
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-200:]
        raise SpeechError(f"{ENGINE} ended with {done.returncode}: {said}")
    return done.stdout


def _wav(samples: bytes) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples)
    return made.getvalue()


def _keep(place: Path, sound: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    with aside.open("wb") as file:
        file.write(sound)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(place)
