"""Checks of what callers hear: what is named is there and can be played or spoken, and somebody hears it."""

from collections.abc import Iterator

from dialplan.checks.register import check, check_whole
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path, closest
from dialplan.spec import TenantSpec

NO_ENGINE = (
    "make one with `pbxcore sounds engine`, install Debian's espeak-ng, or bring a recording (`recorded:`)"
)


@check
def unknown_music(subject: Subject) -> Iterator[Finding]:
    """Who puts a caller on hold names music that exists."""
    known = subject.named("music")
    for path, name in _on_hold(subject.spec):
        if name not in known:
            yield Finding(
                path=path,
                code="unknown-music",
                message=f"there is no music {name}",
                remedy=closest(name, known, "add it under music"),
            )


@check_whole
def unheard_music(subject: Subject) -> Iterator[Finding]:
    """All music of the document is heard by somebody."""
    heard = {name for _, name in _on_hold(subject.spec)}
    heard |= {name for _, kind, name in _while_ringing(subject.spec) if kind == "music"}
    for name in subject.spec.music:
        if name not in heard:
            yield Finding(
                path=("music", name),
                code="unheard-music",
                message=f"nobody hears music {name}",
                remedy=f"name it (`on_hold: {name}`) for the tenant or an extension, or take it out",
            )


@check
def missing_sounds(subject: Subject) -> Iterator[Finding]:
    """Each sound of the tenant is on this machine, in a form that Asterisk can play."""
    if subject.sounds is None:
        return
    tenant = subject.spec.tenant
    for path, sound in _sounds(subject.spec):
        flaw = subject.sounds.get(sound)
        bring = f"`pbxcore sounds add {tenant} {sound}.wav`"
        if flaw is None:
            yield Finding(
                path=path,
                code="missing-sound",
                message=f"tenant {tenant} has no sound {sound} on this machine",
                remedy=closest(sound, subject.sounds, f"bring it: {bring}"),
            )
        elif flaw:
            yield Finding(
                path=path,
                code="unplayable-sound",
                message=f"sound {sound} cannot be played: {flaw}",
                remedy=f"bring it again as WAV of 8 kHz, 16 bit, mono: {bring}",
            )


@check
def unspeakable_texts(subject: Subject) -> Iterator[Finding]:
    """There is an engine that speaks the texts of the document, in their languages."""
    if subject.voices is None:
        return
    for name, announcement in subject.spec.announcements.items():
        for written in announcement.spoken or ():
            language = written or subject.spec.language
            if not subject.voices:
                message, remedy = "this machine has nothing that speaks texts", NO_ENGINE
            elif language not in subject.voices:
                message = f"nothing on this machine speaks {language}"
                remedy = "write the text in another language, or bring a recording (`recorded:`)"
            else:
                continue
            yield Finding(
                path=("announcements", name, "spoken", *((written,) if written else ())),
                code="no-voice",
                message=message,
                remedy=remedy,
            )


@check
def heard_while_ringing(subject: Subject) -> Iterator[Finding]:
    """What callers hear while phones ring exists, and is the tenant's own."""
    for path, kind, name in _while_ringing(subject.spec):
        section = "music" if kind == "music" else "announcements"
        if name not in subject.named(section):
            yield Finding(
                path=path,
                code="unknown-heard",
                message=f"there is no {kind} {name}",
                remedy=closest(name, subject.named(section), f"add it under {section}"),
            )
        elif kind == "announcement" and (one := subject.spec.announcements.get(name)) and one.sound:
            yield Finding(
                path=path,
                code="not-repeatable",
                message=f"announcement {name} is a recording of the machine, which is not repeated",
                remedy="use one that is recorded or spoken",
            )


def _sounds(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    for name, music in spec.music.items():
        for index, sound in enumerate(music.sounds):
            yield ("music", name, "sounds", index), sound
    for name, announcement in spec.announcements.items():
        for language, sound in (announcement.recorded or {}).items():
            yield ("announcements", name, "recorded", *((language,) if language else ())), sound


def _while_ringing(spec: TenantSpec) -> Iterator[tuple[Path, str, str]]:
    places = (("extensions", spec.extensions), ("groups", spec.groups))
    for section, entries in places:
        for name, entry in entries.items():
            if entry.while_ringing:
                kind, _, heard = entry.while_ringing.partition(" ")
                yield (section, name, "while_ringing"), kind, heard


def _on_hold(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    if spec.on_hold:
        yield ("on_hold",), spec.on_hold
    for number, extension in spec.extensions.items():
        if extension.on_hold:
            yield ("extensions", number, "on_hold"), extension.on_hold
