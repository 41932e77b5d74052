"""A contract as a billing clerk reads it: what happened and why, what it cost, how it stands on a day.

Owns the pages. Refuses to work anything out: a report says it all (`rating.contract.report`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pbxcore.cli.tables import Table
from rating import money
from rating.contract.document import CallsSpec
from rating.contract.line import amount_text

Values = Mapping[str, Any]
Row = tuple[str, Text, Text, Text]
NOTHING = Text("")


def story(values: Values) -> Iterator[RenderableType]:
    """Tell a contract's story: answers and what happened by itself, invoices, movements of a credit."""
    currency = values["state"]["currency"]
    yield Text(f"Contract {values['contract']}, amounts in {currency}", style="bold")
    on_credit = {one["on"] for one in values["credit"] if one["what"] == "calls"}
    answers = [_answered(one, on_credit=one["on"] in on_credit) for one in values["events"]]
    days = sorted([*map(_passed, values["happened"]), *answers], key=_day)
    yield from _part("What happened, and why", "", days)
    invoices = [row for one in values["invoices"] for row in _invoice(one)]
    yield from _part("Invoices", currency, invoices)
    movements = [row for one in values["credit"] for row in _movement(one)]
    yield from _part("Credit", currency, movements, "balance")


def standing(values: Values) -> Iterator[RenderableType]:
    """Show a contract as it is on a day: a line for whatever there is to say."""
    yield Text(f"Contract {values['contract']} on {values['on']}", style="bold")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, lines in _facts(values):
        if lines:
            table.add_row(name, Text("\n".join(lines)))
    yield table


def ending(found: Values) -> list[str]:
    """Say when a contract ends, every step of the way to that day, and what a law lets it do."""
    told = [f"ends on {found['last']}", *(f"  {step['why']}" for step in found["steps"])]
    if law := found["by_law"]:
        told.append(f"  {law['law']} lets it end on {law['last']} already")
    return told


def change(part: Values) -> str:
    """Say what changes, and from which day on."""
    what = f"{part['quantity']:+} x {part['product']}" if "product" in part else _other(part)
    return f"{what} from {part['begins']}"


def _part(title: str, currency: str, rows: list[Row], last: str = "") -> Iterator[RenderableType]:
    """Give a part of a story; nothing of it where there is nothing to tell."""
    if not rows:
        return
    table = Table(box=None, show_header=bool(currency), pad_edge=False)
    table.add_column("on", no_wrap=True)
    table.add_column("what")
    for name in filter(None, (currency, last)):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row[: len(table.columns)])
    yield Text(f"\n{title}", style="bold")
    yield table


def _day(row: Row) -> str:
    return row[0]


def _row(on: str, words: str, amount: str = "", balance: str = "", *, dim: bool = False) -> Row:
    return on, Text(words, style="dim" if dim else ""), Text(amount), Text(balance)


def _answered(event: Values, *, on_credit: bool) -> Row:
    """Tell what somebody did and was answered, with what stands in the way or every day it leads to."""
    words = _DEEDS[event["deed"]](event["said"])
    sign, style = _OUTCOMES[event["outcome"]]
    first = Text.assemble(words, ": ", (f"{sign}{event['outcome']}", style))
    return event["on"], _below(first, _reasons(event, on_credit=on_credit)), NOTHING, NOTHING


def _passed(one: Values) -> Row:
    """Tell what happened by itself."""
    who, does = _BY_ITSELF[one["what"]]
    first = Text(_begun(one["change"]) if one["what"] == "begun" else f"{who} {does}")
    if one["what"] == "held-back" and "change" in one:
        first = Text(f"{change(one['change'])} {does}")
    until = [f"until {one['until']}"] if "until" in one else []
    why = [*until, *_steps(one.get("steps", ())), *_refusals(one)]
    return one["on"], _below(first, why), NOTHING, NOTHING


def _begun(part: Values) -> str:
    """Say what begins on the day that stands before it, or what ends: fewer of a product do not begin."""
    if "product" in part:
        does = "begins" if part["quantity"] > 0 else "ends"
        return f"{abs(part['quantity'])} x {part['product']} {does}"
    return f"{_other(part)} begins"


def _other(part: Values) -> str:
    """Say what changes that is no product: a choice, or the version."""
    return f"{part['choice']} {part['from']} → {part['to']}" if "choice" in part else str(part["version"])


def _below(first: Text, lines: Iterable[str]) -> Text:
    return Text("\n").join([first, *(Text(f"  {line}", style="dim") for line in lines)])


def _reasons(event: Values, *, on_credit: bool) -> Iterator[str]:
    yield from _refusals(event)
    quote = event.get("quote", {})
    for part in quote.get("changes", ()):
        yield change(part)
        yield from _steps(part["steps"])
    yield from (one["why"] for one in event.get("dates", {}).values())
    if found := event.get("ending"):
        yield from ending(found)
    if "charged" in event:
        where = "were taken from the credit" if on_credit else "stand on the invoice"
        yield f"{event['charged']} {where}"


def _refusals(one: Values) -> Iterator[str]:
    for refusal in one.get("refusals", ()):
        yield refusal["message"]
        yield f"→ {refusal['remedy']}"


def _steps(steps: Iterable[Values]) -> Iterator[str]:
    return (f"  {step['why']}" for step in steps)


_BY_ITSELF = {
    "begun": ("a change", "begins"),
    "held-back": ("the move", "is held back"),
    "prolonged": ("the contract", "goes on"),
    "ended": ("the contract", "ends"),
}
_OUTCOMES = {
    "accepted": ("✓ ", "green"),
    "quoted": ("", "cyan"),
    "refused": ("✗ ", "red"),
    "held-back": ("! ", "yellow"),
}


def _wanted(said: Values) -> str:
    """Say what a change adds, gives up and chooses."""
    wanted = said.get("change") or {}
    added, removed = wanted.get("add", {}), wanted.get("remove", {})
    words = [_counted(added)] if added else []
    words += [f"without {_counted(removed)}"] if removed else []
    words += [f"{name} {' or '.join(options)}" for name, options in wanted.get("choose", {}).items()]
    words += ["by the newest version of the catalogue"] if wanted.get("newest") else []
    return ", ".join(words)


def _counted(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in counts.items())


def _said(words: str, *more: str) -> str:
    return " ".join([words, *(one for one in more if one)])


OF_ANY_KIND: str = CallsSpec.model_fields["what"].default  # of whose calls nobody said where they led
_DEEDS: Mapping[str, Callable[[Values], str]] = {
    "topup": lambda said: f"{amount_text(said['amount_micro'])} are paid in",
    "ledger": lambda said: (
        f"{amount_text(said['paid_micro'])} were paid into the account, "
        f"and calls took {amount_text(said['calls_micro'])}"
    ),
    "sign": lambda said: _said(
        "signed:", _wanted(said), f"to begin on {said['begins']}" if said["begins"] else ""
    ),
    "use": lambda said: _said("in use from now on:", _counted(said["counts"]), *(said["features"] or ())),
    "create": lambda said: _said("wanted:", _counted(said["counts"])),
    "edit": lambda said: f"{said['by']} wants to change {said['what']}",
    "ask": lambda said: f"asked for a quote, kept as {said['label']}: {_wanted(said)}",
    "order": lambda said: _said(
        "ordered:", _wanted(said), f"as quote {said['quote']} says" if said["quote"] else ""
    ),
    "holder": lambda said: _said(
        f"another holder, {said['kind']}", f"by ticket {said['ticket']}" if said["ticket"] else ""
    ),
    "cancel": lambda _said: "notice is received",
    "processed": lambda _said: "the notice is processed",
    "move": lambda said: _said(f"moves to {said['catalogue']}:", _wanted(said)),
    "withdraw": lambda _said: "the customer withdraws",
    "calls": lambda said: _said(
        "calls",
        f"to {said['what']}" if said["what"] != OF_ANY_KIND else "",
        f"for {amount_text(said['amount_micro'])}",
    ),
}
_DEED_OF = {"top_up": "topup", "quote": "ask"}  # deeds that a document calls otherwise
TOLD = (frozenset(_DEEDS) | _DEED_OF.keys()) - frozenset(_DEED_OF.values())  # events that can be told


def written(event: Values) -> str:
    """Say an event, as a document writes it, in the words of a story."""
    (key,) = event.keys() - {"on", "at"}
    said = event[key]
    amounts = {f"{name}_micro": money.parse(said.get(name, "0")) for name in _AMOUNTS.get(key, ())}
    if key == "top_up":
        return _DEEDS["topup"]({"amount_micro": money.parse(said)})
    return _DEEDS[_DEED_OF.get(key, key)](
        {**_UNSAID, **said, **amounts, "change": _change_in(said)}  # what a document leaves out is nothing
    )


_AMOUNTS = {"ledger": ("paid", "calls"), "calls": ("amount",)}
_UNSAID: Values = {
    "begins": None,
    "quote": "",
    "ticket": "",
    "features": (),
    "counts": {},
    "what": OF_ANY_KIND,
}


def _change_in(said: Values) -> Values:
    """Give a change as a story has it: units of several options are told together, options as a list."""
    add = {
        name: units if isinstance(units, int) else sum(units.values())
        for name, units in said.get("add", {}).items()
    }
    chosen = said.get("choose", {}).items()
    return {
        "add": add,
        "remove": said.get("remove", {}),
        "choose": {name: (one,) if isinstance(one, str) else one for name, one in chosen},
        "newest": said.get("version") == "newest",
    }


def _invoice(one: Values) -> Iterator[Row]:
    yield _row(one["on"], f"invoice for {one['for']}, by {one['catalogue']}")
    yield _row("", one["why"], dim=True)
    yield from map(_line, one["lines"])
    yield _row("", "  net", one["net"], dim=True)
    yield _row("", "  VAT", one["vat"], dim=True)
    on, words, amount, balance = _row("", "  to pay", one["gross"])
    yield on, words, Text(amount.plain, style="bold"), balance


def _movement(one: Values) -> Iterator[Row]:
    sign = "" if one["amount"].startswith("-") else "+"
    yield _row(one["on"], _MOVED[one["what"]], f"{sign}{one['amount']}", one["balance"])
    yield _row("", one["why"], dim=True)
    yield from map(_line, one.get("lines", ()))


_MOVED = {
    "top-up": "paid in",
    "paid": "paid in",
    "rated": "calls",
    "order": "order",
    "debit": "month's charge",
    "calls": "calls",
    "taken-back": "put back",
    "fraction": "written off",
    "refund": "paid back",
}


def _line(line: Values) -> Row:
    """Give a line of an invoice; its days where it is not about a whole month."""
    words = f"  {line['quantity']} x {line['product']} at {line['price']}"
    if line["kind"] == "calls":
        words = f"  {line['product']}"
    if line["kind"] == "month" and line["days"] != line["of_days"]:
        words += f", {line['days']} of {line['of_days']} days: {line['first']} to {line['last']}"
    return _row("", words if line["kind"] != "once" else f"{words}, once", line["amount"])


def _facts(values: Values) -> Iterator[tuple[str, list[str]]]:
    """Give each thing that can be said of a contract on a day, and nothing where it is not so."""
    currency, rights = values["currency"], values["rights"]
    yield "catalogue", [values["catalogue"]]
    yield "holder", [values["holder"]] if values["holder"] else []
    yield "signed", [values["signed"] or "not yet"]
    yield "first day", [values["first"]] if values["first"] else []
    yield "runs", [step["why"] for step in values["term"]]
    yield "notice", [f"received on {values['notice']}"] if values["notice"] else []
    yield "end", ending(values["ending"]) if values["ending"] else []
    yield "ended", ["it has ended"] if values["ended"] else []
    yield "has", [f"{count} x {name}" for name, count in values["products"].items()]
    yield "options", [f"{name} {option}" for name, option in values["choices"].items()]
    yield "costs", [f"{values['price_per_month']} {currency} a month"]
    yield "to come", [line for part in values["pending"] for line in (change(part), *_steps(part["steps"]))]
    yield "may have", [f"{most} x {name}" for name, most in rights["limits"].items()]
    yield "may use", rights["features"]
    yield "changes by itself", rights["administers"]
    yield "balance", [f"{values['balance']} {currency}"] if values["balance"] is not None else []
    yield "calls", [f"{one['amount']} {currency} in {one['month'][:7]}" for one in values["calls"]]
    yield "to do", [step["why"] for step in values["to_do"]]
