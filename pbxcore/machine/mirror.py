"""Which Debian mirror this machine uses: its own apt sources, read in both of their formats.

Owns reading the sources. Refuses to know any mirror by itself: a machine that has none says what to do.
Formats: sources.list(5), one line per source and deb822 stanzas.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pbxcore.machine.errors import TreeError

APT = Path("/usr/bin/apt-get")
VARIABLE = "PBXCORE_DEBIAN_MIRROR"
KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_SECURITY = re.compile(r"security", re.IGNORECASE)
_KEPT_OPTIONS = frozenset({"signed-by", "trusted", "check-valid-until", "inrelease-path"})
_ROLLING = frozenset({"stable", "oldstable", "testing", "unstable", "sid"})


@dataclass(frozen=True, slots=True)
class Mirror:
    """One place that Debian packages come from.

    Attributes:
        uri: as it stands in the sources, whatever its scheme (`mirror+file:` too).
        options: what belongs to it, in deb822 spelling and lower case: `signed-by`, `trusted` …
    """

    uri: str
    options: tuple[tuple[str, str], ...] = ()

    def stanza(self, suite: str) -> str:
        """Return a deb822 stanza for another suite of the same mirror."""
        options = dict(self.options)
        keyring = next((str(path) for path in KEYRINGS if path.is_file()), "")
        if keyring and "trusted" not in options:
            options.setdefault("signed-by", keyring)
        fields = {"Types": "deb", "URIs": self.uri, "Suites": suite, "Components": "main"}
        lines = [f"{key}: {value}" for key, value in fields.items()]
        return "\n".join(lines + [f"{key.title()}:{_spaced(value)}" for key, value in options.items()]) + "\n"


def mirrors(apt: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")) -> tuple[Mirror, ...]:
    """Return the mirrors of this machine's Debian, the likeliest first.

    PBXCORE_DEBIAN_MIRROR comes before them: `http://host/debian`, options as in sources.list before it
    (`[trusted=yes] http://host/debian`).

    Raises:
        TreeError: no Debian, or no mirror in its sources.
    """
    if chosen := os.environ.get(VARIABLE, "").strip():
        return (_one_line(f"deb {chosen} any main")[0][0],)
    if not APT.exists():
        raise TreeError(
            "this machine is no Debian, so Asterisk cannot be unpacked from Debian packages",
            "install Asterisk 20 or newer yourself and set PBXCORE_ASTERISK=own",
        )
    suites = _ROLLING | {_codename(os_release)}
    found = [
        mirror
        for mirror, its_suites in _sources(apt)
        if suites & its_suites and not _SECURITY.search(mirror.uri)
    ]
    if not found:
        raise TreeError(
            "no Debian mirror stands in this machine's apt sources",
            f"name one: {VARIABLE}=http://<mirror>/debian",
        )
    # Third parties use Debian's suite names too; Debian's own archive ends in /debian nearly everywhere.
    ordered = sorted(found, key=lambda mirror: not mirror.uri.rstrip("/").endswith("/debian"))
    return tuple(dict.fromkeys(ordered))


def _codename(os_release: Path) -> str:
    if not os_release.is_file():
        return ""
    match = re.search(r'^VERSION_CODENAME="?([a-z]+)', os_release.read_text(), re.MULTILINE)
    return match.group(1) if match else ""


def _sources(apt: Path) -> Iterator[tuple[Mirror, frozenset[str]]]:
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    for file in files:
        if file.suffix not in {".list", ".sources"} or not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            yield from _deb822(text)
        else:
            for line in text.splitlines():
                yield from _one_line(line)


def _one_line(line: str) -> list[tuple[Mirror, frozenset[str]]]:
    """Read `deb [option=value …] uri suite component…`; anything else is no source."""
    match = re.match(r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>[^#]*)", line)
    words = match["rest"].split() if match else []
    if not match or len(words) < 3 or "main" not in words[2:]:
        return []
    pairs = (option.partition("=") for option in shlex.split(match["options"] or ""))
    return [(_mirror(words[0], {key: value for key, _, value in pairs}), frozenset({words[1]}))]


def _deb822(text: str) -> Iterator[tuple[Mirror, frozenset[str]]]:
    """Read stanzas of `Field: value`, continued by indented lines, with `#` lines anywhere."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields = {
            match["key"].lower(): match["value"].strip(" \t")
            for match in re.finditer(
                r"^(?P<key>[A-Za-z-]+):(?P<value>.*(?:\n[ \t].*)*)", stanza, re.MULTILINE
            )
        }
        if "deb" not in fields.get("types", "").split() or "main" not in fields.get("components", "").split():
            continue
        if fields.get("enabled", "yes").lower() in {"no", "false", "0", "off", "without", "disable"}:
            continue
        for uri in fields.get("uris", "").split():
            yield _mirror(uri, fields), frozenset(fields.get("suites", "").split())


def _spaced(value: str) -> str:
    """An embedded key begins on the line after its field's name and stays as it stood."""
    return value if value.startswith("\n") else f" {value}"


def _mirror(uri: str, options: Mapping[str, str]) -> Mirror:
    kept = {key.lower(): value for key, value in options.items() if key.lower() in _KEPT_OPTIONS}
    return Mirror(uri, tuple(sorted(kept.items())))
