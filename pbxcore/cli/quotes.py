"""How a quote looks on a screen: what changes, each day with the way to it, what is felt of it.

Owns these lines. Refuses to work anything out: a quote says it all (`rating.contract.report`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from pbxcore.cli.app import out
from rating.contract import report
from rating.contract.lacking import missing
from rating.contract.line import amount_text, total
from rating.contract.quote import Quote

Row = tuple[str, str, str]


def show_quote(made: Quote) -> None:
    """Print a quote, or why there is none."""
    values = report.of_quote(made)
    for refusal in values["refusals"]:
        out.print(f"✗ {refusal['message']}\n  → {refusal['remedy']}", markup=False, highlight=False)
    if made.missing_micro:
        lacking = missing(made.missing_micro)
        out.print(f"✗ {lacking.message}\n  → {lacking.remedy}", markup=False, highlight=False, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False)
    rows = list(_changes(values))
    if not made.plan.refusals:
        rows += [*_ends(values), *_days(values), *_money(made, values)]
    if not made.refused:
        rows.append(("id", made.id, (values["button"] or {}).get("en", "")))
    for row in rows:
        table.add_row(*row)
    out.print(table, markup=False)


def words_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Say in a line each what of a quote may be another one later, for who compares two."""
    price, invoice = values["price_per_month"], values["next_invoice"]
    return {
        "id": str(values["id"]),
        "changes": "\n".join(f"{what} {day}" for what, day, _ in _changes(values) if what),
        "once": ", ".join(f"{one['quantity']} {one['product']}" for one in values["once"]),
        "effective": values["effective"],
        "a month": f"{price['before']} → {price['after']}",
        "at once": values["at_once"],
        "next invoice": f"{invoice['difference']} on {invoice['on']}",
    }


def _changes(values: Mapping[str, Any]) -> Iterator[Row]:
    """Give each change with every step of the way to its day."""
    for part in values["changes"]:
        what = part.get("product") or part.get("choice") or "version"
        to = part.get("quantity") or part.get("to") or part.get("version")
        yield from _told(f"{what} {to}", f"from {part['begins']}", part["steps"])


def _ends(values: dict[str, Any]) -> Iterator[Row]:
    ending = values["ending"]
    if ending is None:
        return
    yield from _told("contract", f"ends on {ending['last']}", ending["steps"])
    if law := ending["by_law"]:
        yield "", f"{law['last']}", f"{law['law']} lets it end on that day already"
    if refund := values["refund"]:
        yield "refund", f"{refund['amount']}", refund["why"]


def _days(values: dict[str, Any]) -> Iterator[Row]:
    for rule, one in values["dates"].items():
        yield rule, one["day"], one["why"]


def _money(made: Quote, values: dict[str, Any]) -> Iterator[Row]:
    price, currency, turn = values["price_per_month"], made.edition.currency, values["next_invoice"]
    yield "a month", f"{price['before']} → {price['after']} {currency}", f"by {values['catalogue']}"
    if made.at_once_micro:
        yield "at once", f"{values['at_once']} {currency}", "taken from the credit; with a minus, put back"
    micro = total(made.invoice_lines) - made.at_once_micro
    later = amount_text(micro)
    words = "its first invoice" if made.opens else "more than without it"
    felt = f"{later} {currency}" if micro else "nothing"
    yield f"on {turn['on']}", felt, f"{words}; {turn['why']}"


def _told(what: str, day: str, steps: list[dict[str, str]]) -> Iterator[Row]:
    first, *others = [step["why"] for step in steps] or [""]
    yield what, day, first
    yield from (("", "", why) for why in others)
