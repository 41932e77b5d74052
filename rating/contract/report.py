"""A history as scripts read it: plain values in a fixed order, amounts as decimal text.

Owns these words. Refuses to work anything out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from rating.contract import bookings
from rating.contract import line as lines
from rating.contract.answer import Answer
from rating.contract.billing import OF_CALLS, Invoice, Movement
from rating.contract.calendar import DAY
from rating.contract.charges import Standing, month_price
from rating.contract.ending import Ending, Step, term_steps
from rating.contract.facts import Fact
from rating.contract.history import History, timeline
from rating.contract.line import Line, amount_text
from rating.contract.passing import Happened
from rating.contract.quote import Quote
from rating.contract.state import ChoicePart, Part, ProductPart, Rights, State, choices, quantities, rights
from rating.contract.wish import Refusal
from rating.party import CustomerSpec
from rating.periods import month_start

PAID = frozenset({"order", "sign", "move"})  # orders that cost something: their button says so

Values = dict[str, Any]


def of_history(past: History) -> Values:
    """Give everything: answers, invoices, credit, what happened, rights, and the state at the end."""
    last = past.states[-1]
    return {
        "events": [of_answer(answer) for answer in past.answers],
        "happened": [_happened(one) for one in past.entries if isinstance(one, Happened)],
        "invoices": [_invoice(one) for one in past.entries if isinstance(one, Invoice)],
        "credit": [_movement(one) for one in past.entries if isinstance(one, Movement)],
        "rights": [{"from": day.isoformat(), **_rights(one)} for day, one in timeline(past)],
        "state": of_state(last, last.today),
        "account": of_account(last),
    }


def of_state(state: State, day: date) -> Values:
    """Give a contract as it is on a day."""
    units = quantities(state, state.edition.offer.products, day)
    return {
        "on": day.isoformat(),
        "catalogue": state.edition.name,
        "currency": state.edition.currency,
        "holder": state.holder,
        "signed": _day(state.signed),
        "first": _day(state.first),
        "notice": _day(state.notice),
        "term": [_step(step) for step in _term(state, day)],
        "ending": _ending(state.ending),
        "ended": state.ended,
        "products": {name: number for name, number in units.items() if number},
        "choices": dict(choices(state, day)),
        "pending": [_part(part) for part in state.pending],
        "price_per_month": amount_text(month_price(state, day)),
        "rights": _rights(rights(state, day)),
        "balance": amount_text(state.balance_micro) if state.prepaid or state.balance_micro else None,
        "calls": [
            {"month": month.isoformat(), "amount": amount_text(micro)}
            for (month, _), micro in state.calls.items()
        ],
    }


def _term(state: State, day: date) -> tuple[Step, ...]:
    """Say until when a contract runs that nobody has given up."""
    if state.first is None or state.ending is not None or state.ended:
        return ()
    terms, calendar = state.edition.offer.terms, state.calendar
    return term_steps(terms, first=state.first, day=max(day, state.first), calendar=calendar)


def of_account(state: State) -> Values:
    """Give what the document of the contract's account says: by whose prices, and what is booked."""
    first, *moves = bookings.stays(state)
    return {
        "catalogue": first.catalogue,
        "moves": [{"catalogue": one.catalogue, "from": one.first.isoformat()} for one in moves],
        "bundles": [
            {"bundle": one.name, "size": one.size, "from": one.first.isoformat(), "until": _day(one.until)}
            for one in bookings.bundles(state)
        ],
        "buy_outs": [
            {"buy_out": one.name, "from": one.first.isoformat(), "until": _day(one.until)}
            for one in bookings.buy_outs(state)
        ],
    }


def of_quote(made: Quote) -> Values:
    """Give what a customer sees before ordering."""
    return {
        "id": None if made.refused else made.id or None,
        "deed": made.deed,
        "catalogue": made.edition.name,
        "changes": [_part(part) for part in made.plan.parts],
        "once": [{"product": name, "quantity": units} for name, units in made.plan.once],
        "effective": made.effective.isoformat(),
        "price_per_month": {
            "before": amount_text(made.price_before_micro),
            "after": amount_text(made.price_after_micro),
        },
        "at_once": amount_text(made.at_once_micro),
        "next_invoice": {
            "on": made.invoice_on.isoformat(),
            "why": _turn(made),
            "difference": amount_text(lines.total(made.invoice_lines)),
            "lines": [_line(one) for one in made.invoice_lines],
        },
        "missing": amount_text(made.missing_micro),
        "ending": _ending(made.ending),
        "refund": _refund(made),
        "holder": made.holder or None,
        "has": [_standing(one) for one in made.has],
        "chosen": dict(made.chosen),
        "dates": _dates(made.dates),
        "refusals": [_refusal(one) for one in made.plan.refusals],
        "button": made.edition.offer.order_button.model_dump() if _is_ordered(made) else None,
    }


def _is_ordered(made: Quote) -> bool:
    """Whether there is something to press a button for."""
    return made.deed in PAID and not made.refused


def _turn(made: Quote) -> str:
    """Say why a quote looks at that day."""
    prepaid = made.edition.offer.billing.prepaid is not None
    what = "the credit is debited" if prepaid else "invoices are made"
    return f"{what} on the first of each month: {made.invoice_on}"


def _refund(made: Quote) -> Values | None:
    """Give what goes back of a credit, as things are."""
    if made.ending is None or not made.refund_micro:
        return None
    on = made.ending.last + DAY
    why = f"the day after the end: {on}; calls and debits until then take from it"
    return {"on": on.isoformat(), "amount": amount_text(made.refund_micro), "why": why}


def of_answer(answer: Answer) -> Values:
    """Give what is answered to a fact."""
    found: Values = {**_fact(answer.fact), "outcome": answer.outcome}
    if answer.refusals:
        found["refusals"] = [_refusal(one) for one in answer.refusals]
    if answer.quote is not None:
        found["quote"] = of_quote(answer.quote)
    if answer.ending is not None:
        found["ending"] = _ending(answer.ending)
    if answer.dates:
        found["dates"] = _dates(answer.dates)
    if answer.charged_micro is not None:
        found["charged"] = amount_text(answer.charged_micro)
    return found


def _fact(fact: Fact) -> Values:
    hour, minute = divmod(fact.minute, 60)
    return {
        "on": fact.on.isoformat(),
        "at": f"{hour:02}:{minute:02}",
        "deed": type(fact.deed).__name__.lower(),
        "said": {one.name: _plain(getattr(fact.deed, one.name)) for one in fields(fact.deed)},
    }


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, CustomerSpec):
        return value.model_dump(mode="json", exclude_none=True)
    return value.isoformat() if isinstance(value, date) else value


def _happened(one: Happened) -> Values:
    found: Values = {"on": one.on.isoformat(), "what": one.what}
    if one.part is not None:
        found["change"] = _part(one.part)
    if one.until is not None:
        found["until"] = one.until.isoformat()
    if one.until is not None or one.steps:
        found["steps"] = [_step(step) for step in one.steps]
    if one.refusals:
        found["refusals"] = [_refusal(refusal) for refusal in one.refusals]
    return found


_INVOICED = {
    "advance": "on the first of a month, for that month in advance",
    "arrears": "on the first of a month, for the month before",
}
_MOVED = {
    "top-up": "paid in on that day",
    "paid": "paid into the account's balance",
    "rated": "taken by calls as they were rated, until that day",
    "order": "taken with the order",
    "debit": "taken on the first of a month, and on the first day of a contract that follows another",
    "calls": "taken as the calls are made",
    "taken-back": "put back: it was charged for what does not come",
    "fraction": "less than a cent, which nobody can be paid",
    "refund": "due back on the day after the end of the contract",
}


def _invoice(one: Invoice) -> Values:
    net, tax, gross = lines.vat(one.lines, one.edition)
    return {
        "on": one.on.isoformat(),
        "why": _INVOICED[one.edition.offer.billing.charged],
        "for": month_start(one.lines[0].first).isoformat()[:7],
        "catalogue": one.edition.name,
        "lines": [_line(line) for line in one.lines],
        "total": amount_text(lines.total(one.lines)),
        "net": amount_text(net),
        "vat": amount_text(tax),
        "gross": amount_text(gross),
    }


def _movement(one: Movement) -> Values:
    found: Values = {
        "on": one.on.isoformat(),
        "what": one.what,
        "why": _MOVED[one.what],
        "amount": amount_text(one.amount_micro),
        "balance": amount_text(one.balance_micro),
    }
    if one.lines:
        net, tax, _ = lines.vat(one.lines, one.edition)
        found["lines"] = [_line(line) for line in one.lines]
    elif one.what in OF_CALLS:
        net, tax, _ = lines.split_vat(-one.amount_micro, one.edition, unit_micro=1)
    else:  # what is paid in, or back, is no price
        return found
    return {**found, "net": amount_text(net), "vat": amount_text(tax)}


def _line(line: Line) -> Values:
    return {
        "kind": line.kind,
        "product": line.product,
        "quantity": line.quantity,
        "price": amount_text(line.price_micro),
        "first": line.first.isoformat(),
        "last": line.last.isoformat(),
        "days": line.days,
        "of_days": line.of_days,
        "amount": amount_text(line.amount_micro),
    }


def _standing(one: Standing) -> Values:
    return {
        "product": one.product,
        "quantity": one.units,
        "paid": one.paid,
        "price": amount_text(one.price_micro),
        "amount": amount_text(one.amount_micro),
    }


def _dates(steps: tuple[Step, ...]) -> Values:
    return {step.rule: {"day": step.day.isoformat(), "why": step.text} for step in steps}


def _part(part: Part) -> Values:
    if isinstance(part, ProductPart):
        what: Values = {"product": part.product, "quantity": part.quantity, "usable": part.usable.isoformat()}
    elif isinstance(part, ChoicePart):
        what = {
            "choice": part.choice,
            "from": part.before,
            "to": part.option,
            "usable": part.usable.isoformat(),
        }
    else:
        what = {"version": part.edition.name}
    return {**what, "begins": part.begins.isoformat(), "steps": [_step(step) for step in part.steps]}


def _step(step: Step) -> Values:
    return {"rule": step.rule, "day": step.day.isoformat(), "why": step.text}


def of_steps(steps: Iterable[Step]) -> list[Values]:
    """Give days that somebody must know, each with its reason."""
    return [_step(step) for step in steps]


def _ending(found: Ending | None) -> Values | None:
    if found is None:
        return None
    right = found.right
    return {
        "last": found.last.isoformat(),
        "steps": [_step(step) for step in found.steps],
        "by_law": {"law": right.law, "last": right.day.isoformat()} if right is not None else None,
    }


def _rights(one: Rights) -> Values:
    return {"features": list(one.features), "limits": dict(one.limits), "administers": list(one.administers)}


def _refusal(one: Refusal) -> Values:
    return {"code": one.code, "message": one.message, "remedy": one.remedy}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
