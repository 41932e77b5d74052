"""Blocks of numbers (DDI): one entry of a document, and a number for each extension behind it.

Owns how a block is written out and which of its numbers rings which extension. A block `+49305550` with two
digits is the hundred numbers `+4930555000` to `+4930555099`, and `+49305550` and `+493055500`, which callers
dial who know no extension (the operator's 0). Its digits are the extension's; all else goes where the block
says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dialplan.spec import NumberSpec, TenantSpec

OPERATOR = "0"


@dataclass(frozen=True, slots=True)
class Written:
    """A number written out: the entry of the document it comes from, and what the document says of it."""

    key: str
    number: NumberSpec


def numbers_of(spec: TenantSpec) -> dict[str, Written]:
    """Give every number of a tenant; one that has an entry of its own is not the block's."""
    found: dict[str, Written] = {}
    for key, one in spec.numbers.items():
        if one.ddi:
            for suffix in _suffixes(one.ddi):
                found.setdefault(key + suffix, Written(key, _of_block(spec, one, suffix)))
    return found | {key: Written(key, one) for key, one in spec.numbers.items() if not one.ddi}


def entry_of(spec: TenantSpec, number: str) -> tuple[str, str] | None:
    """Find the entry of a number, or of one that is stood for, and its digits behind it; None: it has none.

    One of its own speaks for it, whatever stands before it in the document, and not the block.
    """
    found = (
        (key, suffix)
        for key, one in spec.numbers.items()
        for block in filter(None, (key, one.stands_for))
        if (suffix := suffix_of(number, block, one.ddi)) is not None
    )
    return min(found, key=lambda entry: len(entry[1]), default=None)


def number_of(spec: TenantSpec, key: str, suffix: str) -> NumberSpec:
    """Give what the document says of a number: its own entry, or else the block's with the same digits."""
    one = spec.numbers.get(key + suffix)
    return one or _of_block(spec, spec.numbers[key], suffix)


def suffix_of(number: str, key: str, ddi: int | None) -> str | None:
    """Give the digits of a number behind an entry: nothing for the entry itself; None: it is not of it."""
    if number == key:
        return ""
    suffix = number[len(key) :]
    fits = ddi is not None and number.startswith(key) and suffix.isdigit()
    return suffix if fits and (len(suffix) == ddi or suffix == OPERATOR) else None


def _suffixes(ddi: int) -> Iterator[str]:
    yield ""
    if ddi > 1:
        yield OPERATOR
    yield from (f"{value:0{ddi}}" for value in range(10**ddi))


def _of_block(spec: TenantSpec, block: NumberSpec, suffix: str) -> NumberSpec:
    internal = suffix in spec.extensions or any(group.extension == suffix for group in spec.groups.values())
    rings = len(suffix) == block.ddi and internal
    changed: Mapping[str, object] = {
        "ddi": None,
        "to": f"extension {suffix}" if rings else block.to,
        "stands_for": block.stands_for + suffix if block.stands_for else None,
    }
    return block.model_copy(update=changed)
