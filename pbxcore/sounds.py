"""Sounds of tenants: WAV files that operators bring, one folder per tenant.

Owns `<state>/sounds/<tenant>/<name>.wav` and what can be played as it is: PCM, 8 kHz, 16 bit, mono. A file is
written aside and renamed: who hears the old one hears it to its end. Refuses to convert, and to know what a
tenant does with a sound.
"""

import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dialplan.spelling import SoundFile, TenantId

SUFFIX = ".wav"
LARGEST_BYTES = 64 << 20  # more than an hour
PCM = 1
FORMAT = (PCM, 1, 8_000, 16)  # what Asterisk plays in every call without asking a converter
CONVERT = "convert it, for example with `sox {file} -r 8000 -c 1 -b 16 8k/{name}.wav`, and add that"
_HEAD = struct.Struct("<4s4x4s4s4xHHI6xH")  # RIFF size WAVE fmt_ size | tag channels rate bytes/s align bits


class SoundError(Exception):
    """A file that cannot become a sound of a tenant; nothing has changed.

    Attributes:
        remedy: what to do about it.
    """

    code = "sound"

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def of_tenant(sounds: Path, tenant: str) -> Mapping[str, str]:
    """Give a tenant's sounds by name, and what is wrong with each; nothing where it can be played."""
    return {path.stem: flaw(path) for path in sorted((sounds / tenant).glob(f"[!.]*{SUFFIX}"))}


def flaw(path: Path) -> str:
    """Say why a file cannot be played, in a few words; nothing if it can."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
    except OSError as unreadable:
        return f"it cannot be read ({unreadable.strerror})"
    if len(head) < _HEAD.size or head[:4] != b"RIFF":
        return "it is no WAV file"
    _, wave, fmt, tag, channels, rate, bits = _HEAD.unpack(head)
    if wave != b"WAVE" or fmt != b"fmt ":
        return "it is no WAV file"
    if (tag, channels, rate, bits) != FORMAT:
        coded = "" if tag == PCM else "not plain PCM, "
        return f"it is {coded}{rate} Hz, {bits} bit, {channels} {'channel' if channels == 1 else 'channels'}"
    return f"it is larger than {LARGEST_BYTES >> 20} MB" if size > LARGEST_BYTES else ""


def add(sounds: Path, tenant: str, file: Path) -> str:
    """Take a file in as a sound of a tenant, in the place of one of the same name; return its name.

    Raises:
        SoundError: it cannot be played as it is, or tenant or name have another form.
        OSError: it cannot be written here.
    """
    name = file.name.removesuffix(SUFFIX)
    _checked(TypeAdapter(TenantId), tenant)
    _checked(TypeAdapter(SoundFile), name)
    wrong = flaw(file)
    if wrong:
        readable = file.is_file() and os.access(file, os.R_OK)
        remedy = CONVERT.format(file=file.name, name=name) if readable else "look at its name and its rights"
        raise SoundError(f"{file} cannot be played: {wrong}", remedy)
    place = sounds / tenant / f"{name}{SUFFIX}"
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.copyfile(file, aside)
    with aside.open("rb") as copied:
        os.fsync(copied.fileno())
    aside.replace(place)
    return name


def _checked(form: TypeAdapter[str], value: str) -> None:
    try:
        form.validate_python(value)
    except ValidationError as wrong:
        context = wrong.errors()[0]["ctx"]
        raise SoundError(str(context["message"]), str(context["remedy"])) from wrong
