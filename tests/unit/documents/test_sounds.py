"""Sounds of tenants: what is taken in, what is refused, and what documents are told of them."""

import os
import struct
from functools import partial
from pathlib import Path

import pytest
import yaml

from dialplan.build import build_plan
from dialplan.plan import Plan
from dialplan.spec import TenantSpec
from dialplan.spoken import Spoken
from pbxcore import documents, sounds, speech
from pbxcore.practice import tone

DOCUMENT = """\
version: 1
tenant: acme
name: Acme
country: DE
time_zone: Europe/Berlin
account: acme
numbers: {"+493055500100": {to: extension 10}}
extensions: {"10": {name: Anna, devices: [p10]}}
music:
  waiting: [summer, rain]
on_hold: waiting
"""
HELLO = "announcements:\n  hello: {spoken: Guten Tag., then: extension 10}\n"


def wav(*, tag: int = 1, channels: int = 1, rate: int = 8_000, bits: int = 16) -> bytes:
    """Write the head of a WAV file and a little silence."""
    frame = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", 800) + bytes(800)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no WAV file"),
        (b"ID3" + bytes(100), "no WAV file"),
        (wav()[:30], "no WAV file"),
        (wav().replace(b"fmt ", b"JUNK"), "no WAV file"),
        (wav(rate=44_100, channels=2), "44100 Hz, 16 bit, 2 channels"),
        (wav(rate=16_000), "16000 Hz, 16 bit, 1 channel"),
        (wav(bits=8), "8000 Hz, 8 bit"),
        (wav(tag=6, bits=8), "not plain PCM"),
        (wav(tag=0xFFFE), "not plain PCM"),
    ],
)
def test_what_asterisk_cannot_play_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """The refusal says what the file is and how to convert it, and the sound that was there stays."""
    folder, file = tmp_path / "sounds", tmp_path / "summer.wav"
    sounds.add(folder, "acme", tone.write(file, 700))
    there = (folder / "acme" / "summer.wav").read_bytes()
    file.write_bytes(content)
    with pytest.raises(sounds.SoundError, match=words) as refused:
        sounds.add(folder, "acme", file)
    assert "-r 8000 -c 1 -b 16" in refused.value.remedy
    assert (folder / "acme" / "summer.wav").read_bytes() == there


@pytest.mark.parametrize("name", ["Summer.wav", "sum mer.wav", "summer.mp3", ".wav", "x" * 61 + ".wav"])
def test_a_sound_has_a_name_that_documents_can_say(tmp_path: Path, name: str) -> None:
    """Another name is refused before anything is written."""
    with pytest.raises(sounds.SoundError, match="no name of a sound"):
        sounds.add(tmp_path / "sounds", "acme", tone.write(tmp_path / name, 700))
    assert not (tmp_path / "sounds").exists()


@pytest.mark.parametrize("tenant", ["", "Acme", "../acme", "acme-two", "trunk"])
def test_a_folder_is_a_tenants(tmp_path: Path, tenant: str) -> None:
    """Nothing is written anywhere but in the folder of something that can be a tenant."""
    with pytest.raises(sounds.SoundError):
        sounds.add(tmp_path / "sounds", tenant, tone.write(tmp_path / "summer.wav", 700))


def test_a_file_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    """No converter helps against a slip of the keyboard."""
    with pytest.raises(sounds.SoundError, match="cannot be read") as refused:
        sounds.add(tmp_path, "acme", tmp_path / "summer.wav")
    assert "its name" in refused.value.remedy


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """An hour is enough for anybody on hold."""
    file = tmp_path / "summer.wav"
    file.write_bytes(wav())
    with file.open("r+b") as opened:
        opened.truncate(sounds.LARGEST_BYTES + 1)
    assert "larger than 64 MB" in sounds.flaw(file)


def test_documents_are_told_which_sounds_are_missing(tmp_path: Path) -> None:
    """Line by line, and nothing once they are there; half-written files are not seen."""
    folder = tmp_path / "sounds"
    sounds.add(folder, "acme", tone.write(tmp_path / "summer.wav", 700))
    (folder / "acme" / ".rain.wav.17").write_bytes(wav())
    (folder / "acme" / ".rain.wav").write_bytes(wav())
    _, (found,) = documents.read_texts([("acme.yaml", DOCUMENT)], sounds=folder)
    assert (found.line, found.finding.code) == (10, "missing-sound")
    assert "rain" in found.finding.message
    (folder / "acme" / "rain.wav").write_bytes(wav(rate=16_000))
    _, (found,) = documents.read_texts([("acme.yaml", DOCUMENT)], sounds=folder)
    assert found.finding.code == "unplayable-sound"
    (folder / "acme" / "rain.wav").write_bytes(wav())
    assert documents.read_texts([("acme.yaml", DOCUMENT)], sounds=folder)[1] == ()


@pytest.mark.parametrize(
    ("engine", "words"),
    [("#!/bin/sh\necho no data >&2\nexit 3\n", "ended with 3: no data"), ("\0", "does not run")],
)
def test_a_broken_engine_is_a_mistake_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, words: str
) -> None:
    """A text that nothing here can speak is found with what the engine said, beside all other mistakes."""
    program = tmp_path / speech.ENGINE
    program.write_text(engine)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    text = DOCUMENT.replace("extension 10}", "announcement hello}")
    text += HELLO
    _, found = documents.read_texts([("acme.yaml", text)], sounds=tmp_path / "sounds")
    missing, missing_too, voice = found
    assert {missing.finding.code, missing_too.finding.code} == {"missing-sound"}
    assert (voice.line, voice.finding.code) == (13, "no-voice")
    assert words in voice.finding.message


def test_a_sound_stays_a_day_after_it_fell_out_of_use(tmp_path: Path) -> None:
    """However old it is; who names it again, or is about to, has it for another day at least."""
    text = Spoken(language="de", text="Guten Tag.")
    sound = tmp_path / "sounds" / "acme" / f"{text.name}.wav"
    sound.parent.mkdir(parents=True)
    sound.write_bytes(wav())
    unnamed = sound.with_suffix(".unnamed")
    quiet, greeting = a_plan(DOCUMENT), a_plan(f"{DOCUMENT}language: de\n{HELLO}")
    named_again = partial(speech.forget, tmp_path / "sounds", greeting)
    for used_again in (named_again, partial(speech.speak, tmp_path, "acme", [text])):
        for file in (sound, *tmp_path.rglob(unnamed.name)):
            os.utime(file, (0, 0))
        used_again()
        assert not unnamed.exists()
        speech.forget(tmp_path / "sounds", quiet)
        speech.forget(tmp_path / "sounds", quiet)
        assert sound.exists()
    os.utime(unnamed, (0, 0))
    speech.forget(tmp_path / "sounds", quiet)
    assert list(sound.parent.iterdir()) == []


def a_plan(document: str) -> Plan:
    """Build the plan of a document."""
    return build_plan(TenantSpec.model_validate(yaml.safe_load(document)), revision=1, trunks=())


def test_tones_are_recognised(tmp_path: Path) -> None:
    """A tone that was written is heard, another is not, and silence is nothing."""
    sound = tone.write(tmp_path / "a.wav", 700, duration_s=1).read_bytes()
    assert tone.heard(sound, (440, 700)) == (700,)
    assert tone.heard(sound, (440, 1000)) == ()
    assert tone.heard(wav(), (440,)) == ()
