"""The order form of a quote: everything that is agreed, on paper, with room for a signature.

Owns what is said, in the customer's language, and what is left blank because nobody told us. Refuses to work
anything out: what changes, when and for how much says the quote (`rating.contract.quote`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date

from pbxcore.paper.terms import terms
from pbxcore.paper.typeset import Format, typeset
from pbxcore.paper.words import dated, sentence, words, written_amount
from rating.contract.calendar import DAY
from rating.contract.charges import Standing
from rating.contract.edition import Edition
from rating.contract.ending import Step
from rating.contract.line import Line, amount_text, split_vat, total
from rating.contract.quote import Quote
from rating.contract.state import ChoicePart, Part, ProductPart, VersionPart
from rating.party import PartySpec

OTHERWISE = "en"  # where neither the customer nor the catalogue names a language
SIGN = {True: "+", False: "\N{MINUS SIGN}"}
ARROW = "\N{RIGHTWARDS ARROW}"

Row = tuple[str, ...]  # a line break within a cell is one on paper
Words = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Who somebody is: name and rows; an empty text is a line to be filled in by hand."""

    title: str
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that the pages say, as the template `order.typ` reads it; tables are rows of its columns."""

    words: Words
    language: str
    title: str
    kind: str
    quote: str
    parties: tuple[Box, ...]
    facts: tuple[Row, ...]
    changes: tuple[Row, ...]
    why: tuple[Row, ...]
    has: tuple[Row, ...]
    month: tuple[Row, ...]
    once: tuple[Row, ...]
    once_sums: tuple[Row, ...]
    money: tuple[Row, ...]
    terms: tuple[Row, ...]
    agreement: str
    button: str
    send_back: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every part of the form needs."""

    made: Quote
    words: Words
    language: str

    @property
    def edition(self) -> Edition:
        """Give the version of the catalogue by which things are named: the one the contract has then."""
        versions = [part.edition for part in self.made.plan.parts if isinstance(part, VersionPart)]
        return versions[-1] if versions else self.made.edition

    def money(self, micro: int) -> str:
        """Write an amount."""
        return written_amount(self.words, amount_text(micro))

    def day(self, day: date) -> str:
        """Write a day."""
        return dated(self.words, day)

    def product(self, name: str) -> str:
        """Name a product; one that the version does not have any more is named as it was."""
        spec = self.edition.offer.products.get(name) or self.made.edition.offer.products[name]
        return str(getattr(spec.name, self.language))

    def choice(self, name: str, option: str = "") -> str:
        """Name a choice, or one of its options."""
        spec = self.edition.offer.choices.get(name) or self.made.edition.offer.choices[name]
        if not option:
            return str(getattr(spec.name, self.language))
        found = spec.options.get(option) or self.made.edition.offer.choices[name].options[option]
        return str(getattr(found.name, self.language))


def order_form(
    contract: str, made: Quote, *, language: str | None = None, form: Format = "pdf"
) -> tuple[bytes, ...]:
    """Set the form of a quote that can be ordered.

    Args:
        contract: its id.
        made: the quote; not refused.
        language: one of `pbxcore.paper.words.LANGUAGES`; None: that of the contract.
        form: of the files.

    Returns:
        The files. The same arguments give the same bytes.
    """
    return typeset("order.typ", asdict(content(contract, made, language=language)), form)


def language_of(made: Quote) -> str:
    """Give the language of a quote's paper: the customer's, or that of the provider."""
    issuer = made.edition.offer.issuer
    spoken = made.customer.language if made.customer is not None else None
    return spoken or (issuer.language if issuer is not None else OTHERWISE)


def content(contract: str, made: Quote, *, language: str | None = None) -> Content:
    """Give all that the pages say."""
    assert not made.refused, "what cannot be ordered has no form"
    spoken = language or language_of(made)
    page = Page(made=made, words=words(spoken, "order_words.yaml"), language=spoken)
    edition, said = page.edition, page.words
    return Content(
        words={**said, **_heads(page)},
        language=spoken,
        title=edition.title,
        kind=said["new_contract" if made.opens else "changed_contract"],
        quote=made.id,
        parties=(_issuer(page), _customer(page)),
        facts=tuple(_facts(page, contract)),
        changes=tuple(_changes(page)),
        why=tuple(_why(page)),
        has=tuple(_standing(page, one) for one in made.has),
        month=tuple(_month(page)),
        once=tuple(_once(page)),
        once_sums=tuple(_once_sums(page)),
        money=tuple(_money(page)),
        terms=terms(edition, made, made.holder, spoken),
        agreement=said["agreement"].format(id=made.id),
        button=str(getattr(edition.offer.order_button, spoken)),
        send_back=tuple(_send_back(page)),
    )


def _heads(page: Page) -> Words:
    """Fill the currency in, and whether prices are with VAT."""
    currency = f"{page.edition.currency}, {_with_vat(page)}"
    return {key: page.words[key].format(currency=currency) for key in ("price_each", "amount")}


def _with_vat(page: Page) -> str:
    return page.words["with_vat" if page.edition.offer.prices == "gross" else "without_vat"]


def _issuer(page: Page) -> Box:
    issuer = page.edition.offer.issuer
    rows = tuple(_known(page, issuer)) if issuer is not None else _blank(page)
    return Box(title=page.words["issuer"], name=issuer.name if issuer is not None else "", rows=rows)


def _customer(page: Page) -> Box:
    """Fill in what is known of the customer, and leave room for what is not."""
    made, said, customer = page.made, page.words, page.made.customer
    rows = list(_known(page, customer)) if customer is not None else []
    known = {row[0] for row in rows}
    rows += [row for row in _blank(page) if row[0] not in known]
    if made.holder == "company" and said["tax_id"] not in known:
        rows.append((said["tax_id"], ""))
    rows.append((said["holder"], said[f"holder.{made.holder}"]))
    return Box(title=said["customer"], name=customer.name if customer is not None else "", rows=tuple(rows))


def _known(page: Page, party: PartySpec) -> Iterator[Row]:
    if party.address:
        yield page.words["address"], "\n".join(party.address)
    for key in ("phone", "fax", "email", "tax_id"):
        value = getattr(party, key)
        if value is not None:
            yield page.words[key], value


def _blank(page: Page) -> tuple[Row, ...]:
    return tuple((page.words[key], "") for key in ("address", "phone", "email"))


def _facts(page: Page, contract: str) -> Iterator[Row]:
    made, said = page.made, page.words
    yield said["contract"], contract
    yield said["quote"], made.id
    yield said["quoted_on"], page.day(made.on)
    yield said["price_list"], page.edition.name
    yield said["effective"], page.day(made.effective)
    for step in made.dates:
        yield said[step.rule], page.day(step.day)


def _changes(page: Page) -> Iterator[Row]:
    for part in page.made.plan.parts:
        yield _item(page, part), _what(page, part), _when(page, part)
    for product, units in page.made.plan.once:
        if page.edition.offer.products[product].once_only:
            yield page.product(product), f"{SIGN[True]}{units}", page.words["once"]


def _item(page: Page, part: Part) -> str:
    if isinstance(part, ProductPart):
        return page.product(part.product)
    return page.choice(part.choice) if isinstance(part, ChoicePart) else page.words["price_list"]


def _what(page: Page, part: Part) -> str:
    if isinstance(part, ProductPart):
        return f"{SIGN[part.quantity > 0]}{abs(part.quantity)}"
    if isinstance(part, VersionPart):
        return f"{page.made.edition.name} {ARROW} {part.edition.name}"
    option = page.choice(part.choice, part.option)
    return f"{page.choice(part.choice, part.before)} {ARROW} {option}" if part.before else option


def _when(page: Page, part: Part) -> str:
    """Say from when it is so; of what goes, also its last day, which is what people remember."""
    said, day = page.words, page.day(part.begins)
    if isinstance(part, ProductPart) and part.quantity < 0:
        return f"{day}\n{said['ends'].format(day=page.day(part.begins - DAY))}"
    if not isinstance(part, VersionPart) and part.usable < part.begins:
        day += f"\n{said['usable'].format(day=page.day(part.usable))}"
    if isinstance(part, ProductPart) and any(step.rule == "full-month" for step in part.steps):
        day += f"\n{said['charged_from'].format(day=page.day(part.charged_from))}"
    return day


def _why(page: Page) -> Iterator[Row]:
    """Give the way to each day; what has the same way is told together."""
    ways: dict[tuple[Step, ...], list[str]] = {}
    for part in page.made.plan.parts:
        if part.steps:
            ways.setdefault(part.steps, []).append(_item(page, part))
    for steps, items in ways.items():
        yield ", ".join(dict.fromkeys(items)), _told(page, steps)


def _told(page: Page, steps: tuple[Step, ...]) -> str:
    told = (page.words[f"step.{step.rule}"].format(day=page.day(step.day)) for step in steps)
    return sentence("; ".join(told))


def _standing(page: Page, one: Standing) -> Row:
    included = one.units - one.paid
    more = "\n" + page.words["included"].format(count=included) if included and one.price_micro else ""
    price = page.money(one.price_micro)
    return page.product(one.product) + more, str(one.units), price, page.money(one.amount_micro)


def _month(page: Page) -> Iterator[Row]:
    """Give what a month costs: so far, then, without and with VAT."""
    made, said = page.made, page.words
    before = f" ({said['before']} {page.money(made.price_before_micro)})" if not made.opens else ""
    yield from _sums(page, made.price_after_micro, ("net", "gross"), before)


def _once(page: Page) -> Iterator[Row]:
    """Give what costs something once; what is free is told with 0."""
    lines: dict[str, list[Line]] = {}
    for line in page.made.once_lines:
        lines.setdefault(line.product, []).append(line)
    for product, units in page.made.plan.once:
        own = lines.get(product, [])
        paid = sum(line.quantity for line in own)
        price = page.money(page.edition.offer.products[product].price_once)
        free = "\n" + page.words["included"].format(count=units - paid) if own and units > paid else ""
        yield (
            page.product(product) + free,
            str(units),
            price if own else page.money(0),
            page.money(total(own)),
        )


def _once_sums(page: Page) -> Iterator[Row]:
    amount_micro = total(page.made.once_lines)
    if amount_micro:
        yield from _sums(page, amount_micro, ("once_net", "once_gross"), "")


def _sums(page: Page, amount_micro: int, keys: tuple[str, str], before: str) -> Iterator[Row]:
    """Give an amount without VAT, the VAT and with it; the one that prices are in is told first."""
    said, offer = page.words, page.edition.offer
    net, tax, gross = split_vat(amount_micro, page.edition)
    row_net, row_gross = (said[keys[0]], page.money(net)), (said[keys[1]], page.money(gross))
    row_vat = (said["vat"].format(percent=offer.vat_percent), page.money(tax))
    if offer.prices == "gross":
        yield from ((row_gross[0] + before, row_gross[1]), row_vat, row_net)
    else:
        yield from ((row_net[0] + before, row_net[1]), row_vat, row_gross)


def _money(page: Page) -> Iterator[Row]:
    """Say what the customer feels of it and when."""
    made, said, day = page.made, page.words, page.day(page.made.invoice_on)
    unit = f"{page.edition.currency}, {_with_vat(page)}"
    if made.edition.offer.billing.prepaid is None:
        key = "first_invoice" if made.opens else "next_invoice"
        yield said[key].format(day=day), f"{page.money(total(made.invoice_lines))} {unit}"
        return
    later = total(made.invoice_lines) - made.at_once_micro
    yield said["at_once"], f"{page.money(made.at_once_micro)} {unit}"
    yield said["next_debit"].format(day=day), f"{page.money(later)} {unit}"


def _send_back(page: Page) -> Iterable[Row]:
    issuer = page.edition.offer.issuer
    if issuer is None:
        return
    if issuer.email:
        yield page.words["email"], issuer.email
    if issuer.fax:
        yield page.words["fax"], issuer.fax
    if issuer.address:
        yield page.words["post"], ", ".join((issuer.name, *issuer.address))
