"""Gaps in a document, parts left out because their form is wrong, and what is true of it all the same.

Owns which findings of the checks of `rating` hold whatever stood in the gaps, so that a slip in a value hides
no other mistake and nothing is called missing that was only misspelt. Refuses to find anything; tenants are
checked with their gaps (`dialplan.checks`).
"""

from collections.abc import Collection, Mapping

from dialplan.finding import Path

# Where that is named which a finding says is not there, and how deep below it an entry stands. What stands in
# other documents is no gap in this one.
NAMED: Mapping[str, tuple[Path, int]] = {
    "unknown-zone": (("zones",), 1),
    "unknown-band": (("bands",), 1),
    "unknown-tax-class": (("tax_classes",), 1),
    "unknown-product": (("offer", "products"), 1),
    "unknown-choice": (("offer", "choices"), 1),
    "unknown-option": (("offer", "choices"), 3),
}
# What somewhere else decides, beside what stands next to it.
JUDGED_BY: Mapping[str, tuple[str, ...]] = {
    "zone-without-price": ("rates", "price_lists"),
    "band-without-base": ("rates",),
    "counts-as-free": ("rates", "zones"),
    "bundles-without-terms": ("bundles", "offer"),
    "not-booked": ("bundles",),
}
# One value is wrong by itself, or by another one that is there.
SURE = frozenset({"number-taken", "country-twice", "emergency-priced", "always-priced", "reserved-name"})
FROM_CATALOGUE = frozenset({"unknown-bundle", "unknown-size", "unknown-buy-out", "unknown-top-up"})
"""Findings about an account that its catalogue decides."""


def knowable(path: Path, code: str, gaps: Collection[Path]) -> bool:
    """Tell whether a finding at a path of the document as written is true whatever stood in the gaps."""
    if any(gap[: len(path)] == path for gap in gaps):
        return False
    if code in NAMED:
        return not any(_is_an_entry(gap, *NAMED[code]) for gap in gaps)
    if code in SURE or code.startswith("unknown-"):
        return True
    return not any(gap[: len(path) - 1] == path[:-1] or gap[0] in JUDGED_BY.get(code, ()) for gap in gaps)


def _is_an_entry(gap: Path, section: Path, depth: int) -> bool:
    """Tell whether a gap is one of a section's entries, or what holds them all, and no value inside one."""
    return len(gap) <= len(section) + depth and gap[: len(section)] == section[: len(gap)]
