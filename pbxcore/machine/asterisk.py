"""Asterisk's own configuration for one machine: the constant files of `asterisk-conf/`, filled in.

Owns where an instance lives below `<state>/asterisk` and what its files say. Refuses to start processes
(`pbxcore.machine.supervision`) and to know tenants: phones reach Asterisk through `pbxcore.phones`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dialplan.build import OWN_SOUNDS
from dialplan.notation import E164, Notation
from dialplan.numbers import COUNTRIES, Country, beginnings_abroad, short_numbers
from dialplan.presentation import way_of
from pbxcore import lamps, phones, prompts
from pbxcore.machine import debian
from pbxcore.machine.errors import MachineError
from pbxcore.secret import derive
from pbxcore.settings import Settings, Trunk

TEMPLATES = Path(__file__).resolve().parents[2] / "asterisk-conf"
OLDEST_MAJOR = 20
VERSION_LIMIT_S = 10.0
AMI_USER = "pbxcore"
# Of each language in which a mailbox may be listened to, a sound that its grammar in app_voicemail asks for:
# where it is not there, Asterisk hangs up instead of saying how many messages there are.
VOICES = {"de": "digits/1F", "en": "vm-youhave", "es": "digits/1M", "fr": "digits/1F", "it": "digits/un",
          "nl": "vm-INBOXs"}  # fmt: skip
SILENCE_BYTES = 10 * 8_000 * 2  # ten seconds of signed linear, 8 kHz


class ConfigurationError(MachineError):
    """A setting that Asterisk's configuration cannot carry."""

    code = "asterisk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Programs and data of an Asterisk that somebody installed; never written.

    Attributes:
        program: command that starts it, without arguments.
        modules: folder of its modules.
        share: folder of its sounds and documentation.
    """

    program: tuple[str, ...]
    modules: Path
    share: Path


def private(root: Path) -> Installation:
    """Return the Asterisk of a private tree (`pbxcore.machine.debian`)."""
    libraries = debian.libraries(root)
    return Installation(
        program=debian.command(root, "asterisk"),
        modules=libraries / "asterisk" / "modules",
        share=root.absolute() / "usr" / "share" / "asterisk",
    )


def own() -> Installation | None:
    """Return the machine's own Asterisk if it is new enough and has every module that we load.

    One that is older than our leg records (`res_cdrel_custom`) would take calls and record nothing.
    """
    program = shutil.which("asterisk", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None or version(program) < OLDEST_MAJOR:
        return None
    candidates = [*sorted(Path("/usr/lib").glob("*/asterisk/modules")), Path("/usr/lib/asterisk/modules")]
    modules = next((folder for folder in candidates if not missing_modules(folder)), None)
    share = next((s for s in map(Path, ("/usr/share/asterisk", "/var/lib/asterisk")) if s.exists()), None)
    if modules is None or share is None:
        return None
    return Installation(program=(program,), modules=modules, share=share)


def missing_modules(folder: Path) -> tuple[str, ...]:
    """Return the modules of our list that a folder of modules lacks."""
    wanted = re.findall(r"^(?:pre)?load = (\S+)", (TEMPLATES / "modules.conf").read_text(), re.MULTILINE)
    return tuple(module for module in wanted if not (folder / module).exists())


def version(*program: str) -> int:
    """Return the major version of an Asterisk, 0 when it does not say."""
    try:
        said = subprocess.run(  # noqa: S603 — a program this machine has or that we unpacked
            [*program, "-V"], capture_output=True, text=True, timeout=VERSION_LIMIT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"Asterisk (?:certified[/-])?(\d+)\.", said)
    return int(found[1]) if found else 0


def home(settings: Settings) -> Path:
    """Return the folder of this machine's instance."""
    return settings.state.absolute() / "asterisk"


def messages(settings: Settings) -> Path:
    """Return the file to which Asterisk writes warnings, some for each stranger who scans (logger.conf)."""
    return home(settings) / "log" / "messages"


def start_command(settings: Settings, installation: Installation) -> tuple[str, ...]:
    """Return the command that runs the instance in the foreground; `configure` comes first."""
    return (*installation.program, "-C", str(home(settings) / "etc" / "asterisk.conf"), "-f", "-q")


def ask_command(settings: Settings, installation: Installation, line: str) -> tuple[str, ...]:
    """Return the command that runs one line of Asterisk's own command line in the running instance."""
    return (*installation.program, "-C", str(home(settings) / "etc" / "asterisk.conf"), "-r", "-x", line)


def ami_secret(settings: Settings) -> str:
    """Return the password of the AMI user `pbxcore`."""
    return derive(settings.state, "ami/pbxcore", length=32)


def configure(settings: Settings, installation: Installation) -> Path:
    """Write the instance's folders and files; return its home. Safe while it runs: nothing is reloaded."""
    here = home(settings)
    for folder in ("etc", "lib", "db", "share", "spool", "log/cel-custom"):  # no folder, no leg records
        (here / folder).mkdir(parents=True, exist_ok=True)
    settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # its path is short enough for a socket
    voices = _link_data(installation.share, here / "share", settings.prompts.absolute())
    _link(settings.sounds.absolute(), here / "share" / "sounds" / OWN_SOUNDS)
    values = _values(settings, installation)
    for template in sorted(TEMPLATES.glob("*.conf")):
        _write(here / "etc" / template.name, with_constants(fill(template.read_text(), values)))
    _write(here / "etc" / "trunks.conf", "\n".join(_trunk(settings, trunk) for trunk in settings.trunks))
    _write(here / "etc" / "countries.conf", countries())
    _write(here / "etc" / "ways.conf", ways(settings))
    phones.prepare(settings)
    phones.give_voices(settings, voices)
    return here


def fill(template: str, values: dict[str, str]) -> str:
    """Replace each @KEY@; an unknown key or a value that could break a line is an error."""
    for key, value in values.items():
        if re.search(r"[\r\n;]", value):
            raise ConfigurationError(f"{key} holds a character that ends a line of Asterisk's configuration",
                                     "change the setting or the folder's name")  # fmt: skip
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], template)


def with_constants(text: str) -> str:
    """Write each constant of the section [constants] where it is used, `${NAME}`, and leave the section out.

    Asterisk looks for a name among all variables of the channel, one by one, before it comes to globals.
    """
    section = re.search(r"^\[constants\]\n.*?(?=^\[)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        return text
    values = dict(re.findall(r"^(\w+) = ?(.*)$", section[0], re.MULTILINE))
    kept = text[: section.start()] + text[section.end() :]
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), kept)


def countries() -> str:
    """Return what each country has: the entrance of its phones, and its numbers as they are written at home.

    At the entrance emergency numbers come first, then the question. Numbers go from E.164 to the form of
    `dialplan.notation.written`, and back to the digits of E.164.
    """
    lines = [
        "; Generated by pbxcore.machine.asterisk from dialplan.numbers: emergency first, then the question."
    ]
    for country in sorted(COUNTRIES):
        name = country.lower()
        lines += ["", f"[emergency-{name}]"]
        for number in sorted(COUNTRIES[country].emergency):
            for dialled in emergency_forms(number, COUNTRIES[country].calling):
                lines.append(f"exten => {dialled},1,Set(PBX_HELP={number})")
                lines.append(" same => n,Goto(emergency,s,1)")
        lines.append("exten => h,1,GotoIf(${PBX_BY}?ended,${PBX_END},1)")
        lines += ["", f"[phones-{name}]", f"include => emergency-{name}", "include => phones"]
        lines += ["", *_national(COUNTRIES[country])]
    return "\n".join(lines) + "\n"


def _national(country: Country) -> Iterator[str]:
    """Write a country's numbers as they are dialled at home, and read them again."""
    name, calling, trunk = country.code.lower(), country.calling, country.trunk
    yield f"[written-national-{name}]"
    yield f"exten => _+{calling}X!,1,Return({trunk}${{EXTEN:{len(calling) + 1}}})"
    for beginning in beginnings_abroad(country):
        yield f"exten => _+{calling}{beginning}X!,1,Return(00${{EXTEN:1}})"
    for beginning, digits in short_numbers(country):
        more = "X" * (digits - len(beginning))
        yield f"exten => _+{calling}{beginning}{more},1,Return(${{EXTEN:{len(calling) + 1}}})"
    yield "exten => _+X!,1,Return(00${EXTEN:1})"
    yield f"[digits-national-{name}]"
    yield "exten => _00X!,1,Return(${EXTEN:2})"
    yield f"exten => _{trunk}X!,1,Return({calling}${{EXTEN:{len(trunk)}}})"


def ways(settings: Settings) -> str:
    """Return, as global variables, how each trunk wants to be told who calls, and numbers to be written.

    WAY_ names an extension of [leg], FORM_ a context `written-…`; a trunk that takes E.164 has none.
    """
    lines = ["; Generated by pbxcore.machine.asterisk from the settings."]
    for trunk in settings.trunks:
        lines.append(f"WAY_{trunk.name} = {way_of(trunk.presentation, trunk.notation)}")
        if trunk.notation != E164:
            lines.append(f"FORM_{trunk.name} = {form_of(trunk.notation)}")
    return "\n".join(lines) + "\n"


def form_of(notation: Notation) -> str:
    """Return the end of the names of the contexts that write, and read, numbers of a form."""
    return "-".join(filter(None, (notation.form.value, notation.country.lower())))


def emergency_forms(number: str, calling: str) -> tuple[str, ...]:
    """Return the ways to dial an emergency number, names or patterns.

    As it is, as an address book writes it, hidden, or with another number to be shown (`*591`).
    """
    written = (number, f"+{calling}{number}", f"00{calling}{number}")
    before = ("", "*31#", "*31*", "#31#", "_*59[1-9]", "_*59[1-9]*")
    return tuple(f"{prefix}{form}" for prefix in before for form in written)


def _values(settings: Settings, installation: Installation) -> dict[str, str]:
    here, ports = home(settings), settings.ports
    return {
        "ETC": str(here / "etc"), "LIB": str(here / "lib"), "DB": str(here / "db"),
        "RUN": str(settings.run_dir), "SHARE": str(here / "share"), "SPOOL": str(here / "spool"),
        "LOG": str(here / "log"),
        "MODULES": str(installation.modules),
        "MUSIC": str(_music(installation, here)),
        "LAMPS": str(lamps.folder(settings)),
        "PHONES": str(settings.phones_db.absolute()),
        "MAILBOXES": str(phones.mailboxes_db(settings).absolute()),
        "SYSTEM": "pbx" + derive(settings.state, "systemname", length=8),
        "BIND": settings.bind, "DOMAIN": settings.bind, "SIP_PORT": str(ports.sip),
        "RTP_FIRST": str(ports.rtp_first), "RTP_LAST": str(ports.rtp_last),
        "AGI_PORT": str(ports.agi), "STANDBY_AGI_PORT": str(ports.standby_agi), "AMI_PORT": str(ports.ami),
        "AMI_SECRET": ami_secret(settings),
        "MAX_CALL_S": str(settings.max_call_s),
        "TRUNKS": ":".join(trunk.name for trunk in settings.trunks),
    }  # fmt: skip


def _trunk(settings: Settings, trunk: Trunk) -> str:
    told = "geoloc_outgoing_call_profile = <prefer_incoming>" if trunk.location else ""
    values = {"NAME": trunk.name, "HOST": trunk.host, "PORT": str(trunk.port), "DOMAIN": settings.bind,
              "LOCATION": told}  # fmt: skip
    return fill((TEMPLATES / "trunk.template").read_text(), values)


def _music(installation: Installation, here: Path) -> Path:
    """Return a folder with something to play while on hold."""
    installed = (installation.share / "moh", Path("/usr/share/asterisk/moh"))
    found = next((folder for folder in installed if folder.is_dir() and any(folder.iterdir())), None)
    if found is not None:
        return found
    quiet = here / "lib" / "moh"
    quiet.mkdir(exist_ok=True)
    (quiet / "silence.sln").write_bytes(bytes(SILENCE_BYTES))
    return quiet


def _link_data(share: Path, into: Path, spoken: Path) -> frozenset[str]:
    """Link an installation's data; return the languages in which a mailbox can be listened to.

    Voices get the names of languages, as Debian gives them after install. Where there is none, our own
    prompts have that name.
    """
    for entry in share.iterdir():
        if entry.name != "sounds":
            _link(entry, into / entry.name)
    sounds, whole = into / "sounds", set()
    sounds.mkdir(exist_ok=True)
    installed = [voice for voice in sorted((share / "sounds").glob("*")) if voice.is_dir()]
    for voice in installed:
        _link(voice, sounds / voice.name)
    for language, needed in VOICES.items():
        found = [voice for voice in installed if voice.name.partition("_")[0] == language]
        if found:
            _link(found[0], sounds / language)
        elif language in prompts.texts():
            _link(spoken / language, sounds / language)
        if any(sound for voice in found[:1] for sound in voice.glob(f"{needed}.*")):
            whole.add(language)
    return frozenset(whole)


def _link(target: Path, link: Path) -> None:
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    link.symlink_to(target)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}")
    aside.touch(mode=0o600)  # secrets stand in some
    aside.write_text(text)
    aside.replace(path)
