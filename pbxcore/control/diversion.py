"""What a carrier's headers say about who diverted a call.

Owns reading `Diversion` (RFC 5806) and `History-Info` (RFC 7044, and its forerunner 4244) as the dialplan
passes them: filtered, so that commas, blanks, quotes and `%` are gone.
Refuses to judge (`dialplan.call` knows how many diversions are too many).

Asterisk by itself keeps the first `Diversion` alone, and nothing of several in one header or of a
`History-Info` whose reason is escaped into the URI. Then a loop through another network would not be seen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_COUNTER = 99  # what is beyond is a mistake, and far more than the dialplan lets through

_USER = "[0-9A-Za-z_+*#.-]*"
_ENTRY = re.compile(rf"(?:sips?:(?:({_USER})[^@<>]*@)?|tel:({_USER}))((?:(?!sips?:|tel:).)*)", re.ASCII)
_COUNTER = re.compile(r";counter=([0-9]{1,9})", re.ASCII)
_INDEX = re.compile(r";index=([0-9]+(?:\.[0-9]+)*)", re.ASCII)
_MAPPED = re.compile(r";mp=([0-9]+(?:\.[0-9]+)*)", re.ASCII)
_CAUSE = re.compile(r";cause=[1-6][0-9]{2}", re.ASCII)  # RFC 4458: why the call came to this target
_REASON = re.compile(r"\?[^>]*Reason=SIP", re.ASCII | re.IGNORECASE)  # RFC 4244: why it left this target
_ANONYMOUS = re.compile(r"anonymous|unknown|restricted", re.ASCII | re.IGNORECASE)

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Diverted:
    """Who diverted a call.

    Attributes:
        numbers: as they came, the latest first, each once; those that hide are left out.
        count: how often it was diverted, by what the headers say.
    """

    numbers: tuple[str, ...] = ()
    count: int = 0


def read(diversion: str, history: str) -> Diverted:
    """Read both headers; each may be empty, and may say what the other does not."""
    by_diversion = [(who, _counter(rest)) for who, rest in _entries(diversion)]
    by_history = list(_diverting(history))
    named = dict.fromkeys(who for who in (*(who for who, _ in by_diversion), *by_history) if _is_number(who))
    count = max(sum(count for _, count in by_diversion), len(by_history), len(named))
    return Diverted(tuple(named), count)


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Give the user part of each URI, and what stands between it and the next one."""
    return ((found[1] or found[2] or "", found[3]) for found in _ENTRY.finditer(text))


def _counter(rest: str) -> int:
    found = _COUNTER.search(rest)
    return max(1, min(int(found[1]), MAX_COUNTER)) if found else 1


def _is_number(who: str) -> bool:
    return bool(who) and not _ANONYMOUS.match(who)


def _diverting(history: str) -> Iterator[str]:
    """Give who sent the call on, the latest first.

    A target has diverted the call if its URI says why it left, or if the target that the call went to
    afterwards (its child by index, or the one that is mapped from it) says why it came there.
    """
    targets = {_index(rest): (who, rest) for who, rest in _entries(history)}
    left = {_parent(index, rest) for index, (_, rest) in targets.items() if _CAUSE.search(rest)}
    for index in sorted(targets, reverse=True):
        who, rest = targets[index]
        if index in left or _REASON.search(rest):
            yield who


def _index(rest: str) -> Index:
    found = _INDEX.search(rest)
    return tuple(int(part[:6]) for part in found[1].split(".")) if found else ()


def _parent(index: Index, rest: str) -> Index:
    mapped = _MAPPED.search(rest)
    return tuple(int(part[:6]) for part in mapped[1].split(".")) if mapped else index[:-1]
