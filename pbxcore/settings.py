"""The settings of one machine: where things listen, where state lives, which trunks there are.

Owns `config/service.yaml` and the `PBXCORE_*` variables. Refuses anything about tenants, prices or numbers.
An unknown key is an error, in the file and as a variable. What a running machine really uses tells
`pbxcore.machine.running`.
"""

import hashlib
import os
import re
import tempfile
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from dialplan.build import routes
from dialplan.carriers import Carriers
from dialplan.finding import Finding
from dialplan.notation import E164, Form, Notation
from dialplan.presentation import USUAL, From, Identity, Presentation
from dialplan.spec import RouteSpec
from dialplan.spelling import CountryCode, mistake
from pbxcore.yamltree import Tree, read_trees

PREFIX = "PBXCORE_"
BELOW = "__"  # PBXCORE_PORTS__SIP is `sip` of `ports`
NO_SETTINGS = frozenset(
    {
        "PBXCORE_DEBIAN_MIRROR",  # where packages come from (`pbxcore.machine.mirror`)
        "PBXCORE_HEARTBEAT_FD",  # from a supervisor to its child (`pbxcore.machine.heartbeat`)
        "PBXCORE_KEEP",  # of tests and benchmarks: leave the state folder; and what they mark processes with
        "PBXCORE_CI_MARK",
        "PBXCORE_TEST_MARK",
        "PBXCORE_TEST_ROOT",
        "PBXCORE_TEST_SESSION",
    }
)
# What Kubernetes and linked containers set where a service is named pbxcore, or pbxcore-something.
_OF_A_SERVICE = re.compile(
    r"PBXCORE_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)=.*|PORT=\w+://.*"
    r"|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*)"
)
LONGEST_RUN_DIR = 76  # bytes: a socket's address has 107, its name in the folder takes up to 30


class Ports(BaseModel):
    """Every port the machine listens on, all on `bind`.

    Attributes:
        sip: phones and trunks, UDP and TCP.
        rtp_first: first port of speech, UDP.
        rtp_last: last one.
        agi: control, which decides calls.
        standby_agi: the standby, which decides when control does not.
        ami: Asterisk's manager.
        http: API and metrics.
        carrier: the practice carrier, at its trunk's address.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sip: int = Field(5060, ge=1, le=65_535)
    rtp_first: int = Field(10_000, ge=1_024, le=65_535)
    rtp_last: int = Field(10_999, ge=1_024, le=65_535)
    agi: int = Field(4573, ge=1, le=65_535)
    standby_agi: int = Field(4574, ge=1, le=65_535)
    ami: int = Field(5038, ge=1, le=65_535)
    http: int = Field(8080, ge=1, le=65_535)
    carrier: int = Field(5065, ge=1, le=65_535)


SETTINGS = "service.yaml"


def _address(written: str) -> str:
    try:
        return str(IPv4Address(written))
    except AddressValueError:
        remedy = "write an IPv4 address of this machine, 192.0.2.10; 0.0.0.0 stands for all of them"
        raise mistake("no-address", f"bind: {written!r} is no address", remedy) from None


class Trunk(BaseModel):
    """A carrier link.

    Attributes:
        name: `[a-z0-9]+`; its endpoint in Asterisk is `trunk-<name>`.
        host: address of the carrier; what comes from it and names no phone of ours in From: is taken as the
            carrier's, also from a phone there that shows another name (`anonymous`, one that was removed).
        port: its SIP port.
        practice: the machine plays this carrier itself (a new user's first outside call).
        caller: what it wants in From: what the caller shows (`user`), or a number of ours (`network`).
        identity: header that carries the other of the two.
        capacity: calls that it carries at once, in both directions together; the next trunk is tried beyond.
        numbers: how it writes numbers, those that it brings, too: `plus`, `zeros`, `digits` or `national`.
        country: where `national` is at home.
        location: it takes where an emergency caller's phone stands, as PIDF-LO beside the SDP (RFC 6442).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9]{1,20}$")
    host: str = Field(pattern=r"^[0-9A-Za-z.:-]{1,253}$")
    port: int = Field(5060, ge=1, le=65_535)
    practice: bool = False
    caller: From = From.USER
    identity: Identity = Identity.ASSERTED
    capacity: PositiveInt | None = None
    numbers: Form = Form.PLUS
    country: CountryCode | None = None
    location: bool = False

    @model_validator(mode="after")
    def _national_is_somewhere(self) -> Self:
        if self.numbers is Form.NATIONAL and self.country is None:
            raise mistake("country-missing", "national numbers of which country?", "add country: DE")
        if self.country is not None and self.numbers is not Form.NATIONAL:
            message = f"country says nothing where numbers are {self.numbers}"
            raise mistake("idle-country", message, "remove it, or write numbers: national", ("country",))
        return self

    @property
    def notation(self) -> Notation:
        """How the carrier writes numbers."""
        return Notation(self.numbers, self.country or "")

    @property
    def presentation(self) -> Presentation:
        """What the carrier is told of who calls."""
        return Presentation(self.caller, self.identity)


class Smtp(BaseModel):
    """The provider's mail server, which takes our mail.

    Attributes:
        host: its name, as its certificate says.
        port: 587 is where servers take mail with STARTTLS, 465 with TLS from the first byte.
        sender: address that mail comes from (`from` in the document).
        tls: `none` for a server on this machine.
        user: who logs in; empty: nobody does.
        password: of the user; better given as PBXCORE_SMTP__PASSWORD.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    host: str = Field(pattern=r"^[0-9A-Za-z.:-]{1,253}$")
    port: int = Field(587, ge=1, le=65_535)
    sender: str = Field(alias="from", pattern=r"^[0-9A-Za-z.!#$%&'*+/=?^_`{|}~-]+@[0-9A-Za-z.-]+$")
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = Field("", repr=False)

    @model_validator(mode="after")
    def _never_in_clear(self) -> Self:
        if self.user and self.tls == "none":
            message, remedy = "the password would be sent in clear", "write tls: starttls, or leave user out"
            raise mistake("in-clear", message, remedy, ("tls",))
        return self


class UnreadableError(ValueError):
    """The file of the settings is no mapping of keys in YAML.

    Attributes:
        findings: what is wrong with it, each with its line.
    """

    def __init__(self, findings: tuple[tuple[int, Finding], ...]) -> None:
        super().__init__("; ".join(one.message for _, one in findings))
        self.findings = findings


def settings_file() -> Path:
    """Return where the settings of this machine stand."""
    return Path(os.environ.get("PBXCORE_CONFIG", "config")) / SETTINGS


def written(file: Path) -> Tree:
    """Read the settings as they are written; a file that is not there says nothing.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        trees, findings = read_trees(file.read_text()) if file.is_file() else ((), ())
    except UnicodeDecodeError as broken:
        line = broken.object.count(b"\n", 0, broken.start) + 1
        findings, trees = ((line, _unread("the file is not UTF-8", "save it as UTF-8")),), ()
    if trees and not isinstance(trees[0].value, dict | None):
        findings = (
            *findings,
            (1, _unread("the file holds no keys", "write keys with their values, `bind: …`")),
        )
    if findings:
        raise UnreadableError(findings)
    return trees[0] if trees and trees[0].value else Tree({}, {(): 1}, "")


def _unread(message: str, remedy: str) -> Finding:
    return Finding(path=(), code="no-settings", message=message, remedy=remedy)


class _Variables(EnvSettingsSource):
    """The `PBXCORE_*` variables, with those that are no setting: a slip in a name is no silence."""

    def __call__(self) -> dict[str, Any]:
        unknown = {
            name.upper().removeprefix(PREFIX).lower(): value
            for name, value in os.environ.items()
            if name.upper().startswith(PREFIX) and not _is_known(name.upper(), value)
        }
        return {**unknown, **super().__call__()}


def _is_known(name: str, value: str) -> bool:
    """Tell whether a variable is a setting, or something else that we or a container know it for."""
    head, *below = name.removeprefix(PREFIX).lower().split(BELOW)
    field = Settings.model_fields.get(head)
    if field is not None and (not below or _has_parts(field.annotation)):
        return True
    return name in NO_SETTINGS or _OF_A_SERVICE.fullmatch(f"{name}={value}") is not None


def _has_parts(annotation: Any) -> bool:  # noqa: ANN401 — any annotation
    is_part = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return is_part or any(map(_has_parts, get_args(annotation)))


class Settings(BaseSettings):
    """Settings of one machine; immutable once read.

    Attributes:
        version: of this form of the file.
        state: the one folder that holds everything that is written.
        config: folder with service.yaml, tenants/, accounts/, catalogues/, destinations/.
        database: PostgreSQL URL (`postgresql://user@host/db`); empty: a private server in `state`.
        asterisk: `auto` takes the machine's own Asterisk if it is 20 or newer, else a private one in `state`.
        bind: IPv4 address that phones reach; 0.0.0.0: all of the machine's.
        routes: trunks for some called numbers, in the order to try; the first that fits counts.
        max_call_s: longest duration of any outside call.
        credit_deadline_ms: how long a call waits for the rater's answer before it is refused.
        credit_slice_s: for how long money is set aside at once; a call on credit goes on slice by slice.
        smtp: mail server; without one no mail is sent.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=BELOW, extra="forbid", frozen=True
    )

    version: Literal[1] = 1
    state: Path = Path("var")
    config: Path = Path("config")
    database: str = ""
    asterisk: Literal["auto", "own", "private"] = "auto"
    bind: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    ports: Ports = Ports()
    trunks: tuple[Trunk, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    max_call_s: PositiveInt = 4 * 3600
    credit_slice_s: int = Field(300, ge=10)
    credit_deadline_ms: int = Field(100, ge=10, le=5_000)
    smtp: Smtp | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments first, then PBXCORE_* variables, then config/service.yaml."""
        del env_settings, dotenv_settings, file_secret_settings
        file = InitSettingsSource(settings_cls, written(settings_file()).value)
        return init_settings, _Variables(settings_cls), file

    @property
    def carriers(self) -> Carriers:
        """What decisions have to know of the trunks beside their names."""
        names = tuple(trunk.name for trunk in self.trunks)
        return Carriers(
            capacity={trunk.name: trunk.capacity for trunk in self.trunks if trunk.capacity},
            routes=tuple(routes(self.routes, names, "service.routes")),
            presentation={t.name: t.presentation for t in self.trunks if t.presentation != USUAL},
            notations={t.name: t.notation for t in self.trunks if t.notation != E164},
        )

    @model_validator(mode="after")
    def _trunks_are_told_apart(self) -> Self:
        """Asterisk knows a trunk by its name, and whose a call is by the address that it comes from."""
        for key in ("name", "host"):
            seen: set[str] = set()
            for number, trunk in enumerate(self.trunks):
                value, at = getattr(trunk, key), ("trunks", number, key)
                if value in seen:
                    remedy = f"give each its own {key}"
                    raise mistake("trunk-twice", f"two trunks have the {key} {value}", remedy, at)
                seen.add(value)
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Self:
        known = sorted(trunk.name for trunk in self.trunks)
        for number, route in enumerate(self.routes):
            for place, name in enumerate(route.trunks):
                if name not in known:
                    at = ("routes", number, "trunks", place)
                    remedy = f"there is {', '.join(known)}" if known else "name it under trunks first"
                    raise mistake("unknown-trunk", f"there is no trunk {name}", remedy, at)
        return self

    @property
    def published(self) -> Path:
        """Folder of the published plans: `tenants/<tenant>.<revision>.json` and `index.json`."""
        return self.state / "published"

    @property
    def spool(self) -> Path:
        """Folder in which Asterisk appends leg records (`legs.tsv`)."""
        return self.state / "asterisk" / "log" / "cel-custom"

    @property
    def decisions(self) -> Path:
        """Folder of the decision logs: `<process>.ndjson`."""
        return self.state / "decisions"

    @property
    def phones_db(self) -> Path:
        """SQLite file that Asterisk reads phones and mailboxes from."""
        return self.state / "asterisk" / "db" / "phones.sqlite"

    @property
    def sounds(self) -> Path:
        """Folder of the tenants' sounds: `<tenant>/<name>.wav`."""
        return self.state / "sounds"

    @property
    def prompts(self) -> Path:
        """Folder of what our calls say by themselves: `<language>/<sound>.wav` (`pbxcore.prompts`)."""
        return self.state / "prompts"

    @property
    def voicemail(self) -> Path:
        """Folder of mailboxes: `<tenant>/<box>`, as Asterisk keeps them."""
        return self.state.absolute() / "asterisk" / "spool" / "voicemail"

    @property
    def switches_db(self) -> Path:
        """SQLite file of what users switched (`pbxcore.switches`)."""
        return self.state / "switches.sqlite"

    @property
    def turns_file(self) -> Path:
        """Where control keeps whose turn it is in ring groups (`pbxcore.control.turns`)."""
        return self.state / "turns.json"

    @property
    def run_dir(self) -> Path:
        """Folder of sockets; removed when everything has stopped.

        `<state>/run`, or where that is too long for the address of a socket, a folder of the same user
        below /tmp that is named after the state folder.
        """
        inside = self.state.absolute() / "run"
        if len(os.fsencode(inside)) <= LONGEST_RUN_DIR:
            return inside
        name = hashlib.sha256(os.fsencode(self.state.resolve())).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"pbxcore-{os.getuid()}-{name}"

    @property
    def machine_file(self) -> Path:
        """What the running machine runs with (`pbxcore.machine.instance`); not there when none runs."""
        return self.state / "machine.json"
