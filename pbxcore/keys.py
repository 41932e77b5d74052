"""Pages that list every key of what people write: documents and settings, made from the specs themselves.

Owns how a key is told: what may stand there, what holds where it is left out, what it means. Refuses words of
its own about a key: they stand in the docstring of its spec. `make keys` writes the pages (`python -m
pbxcore.keys docs`); a test holds pages and specs equal.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dialplan import spelling
from dialplan.entitlement import Feature
from dialplan.spec import TenantSpec
from pbxcore.settings import Settings
from rating import catalogue, offer, party, price_list
from rating.account import AccountSpec, Payer
from rating.catalogue import CatalogueSpec
from rating.contract import document
from rating.contract.document import ContractSpec
from rating.destinations.kind import Kind

MADE = "<!-- Made by `make keys` from the specs; what is written here by hand is lost. -->"


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        model: the document as a whole.
        title: what it is.
        about: where it stands, and where more is said; lines.
    """

    model: type[BaseModel]
    title: str
    about: tuple[str, ...]


PAGES: Mapping[str, Page] = {
    "catalogue": Page(
        CatalogueSpec,
        "Every key of a catalogue",
        (
            "A provider's prices, bundles and offer: `config/catalogues/*.yaml`, where five are shipped.",
            "What they come to says `rating/LAWS.md`; files of prices, [price-lists.md](price-lists.md);",
            "what the offer leads to, [contracts.md](contracts.md).",
            f"Kinds of numbers are {', '.join(f'`{kind.value}`' for kind in Kind)}.",
        ),
    ),
    "tenant": Page(
        TenantSpec,
        "Every key of a tenant",
        (
            "One PBX: `config/tenants/*.yaml`, where one is shipped. What can be done with it, by example,",
            "says [features.md](features.md). A target is `extension 10`, `group sales`, `hours office`,",
            "`voicemail 10`, `announcement welcome`, `number +436641234567` or `reject`.",
        ),
    ),
    "account": Page(
        AccountSpec,
        "Every key of an account",
        (
            "Who is charged, and what is booked: `config/accounts/*.yaml`, where one is shipped.",
            "`pbxcore credit ID` shows what is left and used.",
        ),
    ),
    "contract": Page(
        ContractSpec,
        "Every key of a contract",
        (
            "What happened to a contract, on which days: `config/contracts/*.yaml`, where one is shipped.",
            "`pbxcore apply` stores it; `pbxcore contract simulate FILE` tells what follows from any.",
            "What each deed leads to says [contracts.md](contracts.md); products, choices and options are",
            "those of the [catalogue](catalogue.md).",
        ),
    ),
    "settings": Page(
        Settings,
        "Every key of the settings",
        (
            "Of one machine: `config/service.yaml`. They are read when the machine starts.",
            "Each can be set by a variable instead, which speaks before the file: `PBXCORE_PORTS__SIP=5080`",
            "for `sip` of `ports`; JSON for lists, `PBXCORE_TRUNKS='[…]'`.",
            "One that is no setting is a mistake.",
        ),
    ),
}

NAMED: tuple[tuple[object, str], ...] = (
    (document.Day, "day, `2026-12-24`"),
    (document.Minute, "time, `08:00`"),
    (
        document.Units,
        "number by name, `{extension: 5}`, or of each option apart, `{phone: {t53: 2, t57: 1}}`",
    ),
    (document.Difference, 'amount, `"-10.00"`'),
    (offer.Amount, 'amount, `"0.019"`'),
    (offer.Name, "name"),
    (offer.When, "options by choice"),
    (Kind, "kind of number"),
    (price_list.FileName, "file name"),
    (catalogue.CountryCode, "country, `AT`"),
    (catalogue.TimeZone, "time zone, `Europe/Berlin`"),
    (catalogue.Clock, "time, `08:00`"),
    (catalogue.ClockEnd, "time, `18:00`, or `24:00`"),
    (party.Written, "line of text"),
    (Payer, "tenant/extension"),
    (spelling.CountryCode, "country, `AT`"),
    (spelling.CalledNumbers, 'list of numbers or beginnings, `"+43*"`'),
    (spelling.TrunkName, "name of a trunk"),
    (spelling.TenantId, "id, `acme`"),
    (spelling.DeviceId, "id, `p10`"),
    (spelling.ExtensionId, 'number inside, `"10"`'),
    (spelling.Name, "name"),
    (spelling.AreaCode, 'digits, `"30"`'),
    (spelling.Region, "ISO 3166-2, `BY`"),
    (spelling.Language, "ISO 639, `de`"),
    (spelling.Heard, "`announcement NAME`, `music NAME`"),
    (spelling.Sound, "sound, `vm-goodbye`"),
    (spelling.SoundFile, "name of a sound"),
    (spelling.Recorded, "name of a sound, or names by language"),
    (spelling.SpokenTexts, "text, or texts by language"),
    (spelling.MailAddress, "mail address"),
    (spelling.Pin, '4 to 10 digits, `"4711"`'),
    (spelling.Password, "12 to 64 letters, digits, `_.+=@-`"),
    (spelling.E164, 'number, `"+493055500100"`'),
    (spelling.Instant, "instant, `2026-12-01T06:00`"),
    (spelling.WallClock, "day or instant, `2026-12-01T00:00`"),
    (spelling.TargetText, "target"),
    (spelling.Callers, 'callers, `"+4930*"`, `anonymous`, `inside`'),
    (spelling.Blocked, 'list of callers, `"+49900*"`'),
    (spelling.FeatureName, ", ".join(f"`{feature.value}`" for feature in Feature)),
    (spelling.RingTone, "name of a ring tone"),
    (spelling.TransferKeys, 'keys, `"*1"`'),
    (spelling.SpansOfDay, '`closed`, or list of spans, `"08:00-12:00"`'),
    (spelling.SwitchCode, '1 to 3 digits, `"1"`'),
    (spelling.WeeklyHours, "hours, `Mon-Fri 08:00-18:00`"),
    (spelling.DayOfYear, 'day, `2026-12-28`, or of each year, `"12-24"`'),
    (spelling.TimeZone, "time zone, `Europe/Berlin`"),
    (spelling.RightsText, "`anywhere`, `country`, `inside`, or a name under `rights`"),
)
"""Types that have a name of their own, and how people write them."""


def page(one: Page) -> str:
    """Write a page."""
    parts = [MADE, f"# {one.title}", "\n".join(one.about), _section(one.model)]
    for model, places in parts_of(one.model).items():
        parts += [f"## {_title(model)}", f"At {', '.join(f'`{place}`' for place in places)}. {_about(model)}"]
        parts += [_section(model)] if model.model_fields else []
    return "\n\n".join(parts) + "\n"


def _section(model: type[BaseModel]) -> str:
    rows = ["| key | what | unless given | meaning |", "|---|---|---|---|"]
    meanings = meanings_of(model)
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        what = _with_limits(hints[name], field)
        told = (f"`{field.alias or name}`", what, _default(field), meanings.get(name, ""))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in told) + " |")
    return "\n".join(rows)


def meanings_of(model: type[BaseModel]) -> dict[str, str]:
    """Give what each key means: as the docstring says, else as the part that stands there says of itself."""
    said = _attributes(model)
    for name, hint in get_type_hints(model, include_extras=True).items():
        held = next(iter(_models(hint)), None)
        if name in model.model_fields and name not in said and held:
            said[name] = _about(held)
    return said


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Read `Attributes:` of the docstring, and of those from which the model inherits keys."""
    said: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel and one.__doc__:
            _, _, listed = cleandoc(one.__doc__).partition("Attributes:\n")
            for name, words in re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", listed, re.MULTILINE):
                said[name] = _sentence(words)
    return said


def _about(model: type[BaseModel]) -> str:
    text = cleandoc(model.__doc__ or "").partition("Attributes:\n")[0]
    return _sentence(text)


def _sentence(words: str) -> str:
    """Put words that stand in several lines into one."""
    told = re.sub(r"\s+", " ", words).strip()
    told = re.sub(r" \(`\w+`(?: in the document)?\)|; `\w+` in the file", "", told)  # the page names it so
    return told[:1].upper() + told[1:]


def parts_of(model: type[BaseModel]) -> dict[type[BaseModel], list[str]]:
    """Give the parts of a document in the order in which they come, and where each stands."""
    found: dict[type[BaseModel], list[str]] = {}
    for place, part in _places(model, ""):
        found.setdefault(part, []).append(place)
    return found


def _places(model: type[BaseModel], above: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, hint in get_type_hints(model, include_extras=True).items():
        if name in model.model_fields:
            key = f"{above}{model.model_fields[name].alias or name}"
            for part in _models(hint):
                place = f"{key}.NAME" if _is_mapping(hint) else key
                yield place, part
                yield from _places(part, f"{place}.")


def _models(hint: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 — any annotation
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for part in get_args(hint):
        yield from _models(part)


def _is_mapping(hint: Any) -> bool:  # noqa: ANN401 — any annotation
    return get_origin(hint) is dict or (get_origin(hint) is Annotated and _is_mapping(get_args(hint)[0]))


def _title(model: type[BaseModel]) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", model.__name__.removesuffix("Spec")).lower()
    return words[:1].upper() + words[1:]


def _with_limits(hint: Any, field: FieldInfo) -> str:  # noqa: ANN401 — any annotation
    """Say what may stand somewhere, with the limits that stand beside the key."""
    told = _what(hint)
    limited = told in {"number", "text"} or told.startswith("list of ") or " by " in told
    return told + _limits(field.metadata) if limited else told


def _what(hint: Any) -> str:  # noqa: ANN401, PLR0911 — any annotation; one answer for each kind
    """Say what may stand somewhere."""
    named = next((words for alias, words in NAMED if hint == alias), "")
    if named:
        return named
    origin, inner = get_origin(hint), [part for part in get_args(hint) if part is not NoneType]
    if origin is Annotated:
        told = _what(inner[0])
        return told + _limits(inner[1:]) if told in {"number", "text"} else told
    if origin in {Union, UnionType}:
        return ", or ".join(dict.fromkeys(map(_what, inner)))
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple:
        return f"list of {_what(inner[0])}"
    if origin is dict:
        value = _what(inner[1])
        return f"{value}{',' if ',' in value else ''} by {_what(inner[0])}"
    if issubclass(hint, BaseModel):
        return f"[{_title(hint).lower()}](#{_title(hint).lower().replace(' ', '-')})"
    if issubclass(hint, Enum):
        return _one_of([one.value for one in hint])
    return _PLAIN[hint]


_PLAIN: Mapping[type, str] = {
    bool: "`true`, `false`",
    int: "number",
    str: "text",
    date: "day, `2026-12-24`",
    Path: "path",
}


def _one_of(values: list[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)


LIMITS = ("ge", "gt", "le", "min_length", "max_length")


def _limits(metadata: list[Any]) -> str:
    """Say the limits that types and keys bring: `from 1 to 20`, `at most 8`."""
    found = {
        key: limit
        for one in _flat(metadata)
        for key in LIMITS
        if (limit := getattr(one, key, None)) is not None
    }
    least = found["gt"] + 1 if "gt" in found else found.get("ge")
    words = [f" from {least}"] if least is not None else []
    words += [f" to {found['le']}"] if "le" in found else []
    words += [f", at least {found['min_length']}"] if "min_length" in found else []
    words += [f", at most {found['max_length']}"] if "max_length" in found else []
    return "".join(words)


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for one in metadata:
        yield from one.metadata if isinstance(one, FieldInfo) else (one,)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel) or value in ((), {}, ""):
        return ""
    if isinstance(value, tuple):
        shown = [one.value if isinstance(one, Enum) else one for one in value]
        return "" if any(isinstance(one, BaseModel) for one in shown) else _one_of(shown)
    if isinstance(value, Enum | bool):
        return f"`{value.value}`" if isinstance(value, Enum) else f"`{str(value).lower()}`"
    return f"`{value}`"


def main(folder: Path) -> None:
    """Write all pages into a folder."""
    for name, one in PAGES.items():
        (folder / f"{name}.md").write_text(page(one))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
