"""Checks of music on hold: what is named is there and can be played, and somebody hears it."""

from collections.abc import Iterator

from dialplan.checks.register import check, check_whole
from dialplan.checks.subject import Subject
from dialplan.finding import Finding, Path, closest
from dialplan.spec import TenantSpec


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
    for name in subject.spec.music:
        if name not in heard:
            yield Finding(
                path=("music", name),
                code="unheard-music",
                message=f"nobody on hold hears music {name}",
                remedy=f"name it (`on_hold: {name}`) for the tenant or an extension, or take it out",
            )


@check
def missing_sounds(subject: Subject) -> Iterator[Finding]:
    """Each sound of the tenant is on this machine, in a form that Asterisk can play."""
    if subject.sounds is None:
        return
    tenant = subject.spec.tenant
    for name, music in subject.spec.music.items():
        for index, sound in enumerate(music.sounds):
            path, flaw = ("music", name, "sounds", index), subject.sounds.get(sound)
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


def _on_hold(spec: TenantSpec) -> Iterator[tuple[Path, str]]:
    if spec.on_hold:
        yield ("on_hold",), spec.on_hold
    for number, extension in spec.extensions.items():
        if extension.on_hold:
            yield ("extensions", number, "on_hold"), extension.on_hold
