"""The terms of a catalogue in words, for paper: how long, with which notice, to which end, how it is paid.

Owns their words. Refuses to compute a day: that does `rating.contract.ending`.
"""

from collections.abc import Iterator, Mapping

from pbxcore.paper.words import counted, sentence, words
from rating.contract.edition import Edition
from rating.contract.quote import Quote
from rating.offer import NoticeSpec, TermSpec

Row = tuple[str, str]
Words = Mapping[str, str]


def terms(edition: Edition, made: Quote, holder: str, language: str) -> tuple[Row, ...]:
    """Give what holds for the contract of a quote, a row for each rule.

    Args:
        edition: version of the catalogue.
        made: what the contract has then.
        holder: private or company.
        language: of the words.
    """
    return tuple((what, sentence(rule)) for what, rule in _terms(edition, made, holder, language))


def _terms(edition: Edition, made: Quote, holder: str, language: str) -> Iterator[Row]:
    said, offer = words(language, "order_words.yaml"), edition.offer
    yield said["payment"], f"{said[_charged(edition)]}; {said[f'first_month.{offer.billing.first_month}']}"
    for items in _in_full(edition, made, language):
        yield said["term.more"].format(items=items), said["term.more.full-month"]
    yield said["term.contract"], in_words(offer.terms, edition, said, whole=True)
    for rule, names in _given_up(edition, made, language).items():
        yield said["term.less"].format(items=", ".join(names)), rule
    for rule, names in _lower(edition, language).items():
        yield said["term.lower"].format(items=", ".join(names)), rule
    if offer.withdrawal is not None and holder in offer.withdrawal.holders:
        time = counted(said, "day", offer.withdrawal.days)
        yield said["withdrawal"], said["withdrawal.within"].format(time=time)


def _charged(edition: Edition) -> str:
    billing = edition.offer.billing
    return "charged.prepaid" if billing.prepaid is not None else f"charged.{billing.charged}"


def _in_full(edition: Edition, made: Quote, language: str) -> Iterator[str]:
    """Name what is charged for the whole month in which it is added, where it costs something a month."""
    names = []
    for one in made.has:
        product = edition.offer.products[one.product]
        if one.price_micro and (product.more or edition.offer.more).charged == "full-month":
            names.append(str(getattr(product.name, language)))
    if names:
        yield ", ".join(names)


def _given_up(edition: Edition, made: Quote, language: str) -> dict[str, list[str]]:
    """Give how units of what the contract has are given up, products with the same rule together."""
    said, found = words(language, "order_words.yaml"), dict[str, list[str]]()
    for name in (one.product for one in made.has):
        product = edition.offer.products[name]
        if product.per is None and product.maximum != product.minimum:
            rule = in_words(product.less or edition.offer.less, edition, said)
            found.setdefault(rule, []).append(str(getattr(product.name, language)))
    return found


def _lower(edition: Edition, language: str) -> dict[str, list[str]]:
    said, found = words(language, "order_words.yaml"), dict[str, list[str]]()
    for choice in edition.offer.choices.values():
        rule = in_words(choice.down, edition, said)
        found.setdefault(rule, []).append(str(getattr(choice.name, language)))
    return found


def in_words(term: TermSpec, edition: Edition, said: Words, *, whole: bool = False) -> str:
    """Say how something ends.

    Args:
        term: its rule.
        edition: whose week of working days holds unless the rule has its own.
        said: words of a language.
        whole: also say that there is no minimum, where there is none.
    """
    return "; ".join(_in_words(term, term.week or edition.offer.calendar.week, said, whole=whole))


def _in_words(term: TermSpec, week: str, said: Words, *, whole: bool) -> Iterator[str]:
    if term.minimum_months is not None:
        yield said["term.minimum"].format(months=counted(said, "month", term.minimum_months))
    elif whole:
        yield said["term.no_minimum"]
    if term.ends == "term-end":
        yield said["term.prolonged"].format(months=counted(said, "month", term.prolongation_months or 1))
    if term.notice is None:
        notice = said["term.no_notice"]
    else:
        notice = said["term.notice"].format(time=_time(term.notice, week, said))
    yield f"{notice} {said[f'term.at.{term.ends}']}"
    if term.processing_working_days is not None:
        time = counted(said, week, term.processing_working_days)
        yield said["term.processing"].format(time=time)
    if term.statute is not None:
        time = _time(term.statute.notice, week, said)
        yield said["term.law"].format(law=term.statute.law, time=time)


def _time(notice: NoticeSpec, week: str, said: Words) -> str:
    """Say how long a notice is; it has one of these."""
    if notice.days is not None:
        return counted(said, "day", notice.days)
    if notice.months is not None:
        return counted(said, "month", notice.months)
    if notice.calendar_months is not None:
        return counted(said, "calendar_month", notice.calendar_months)
    return counted(said, week, notice.working_days or 0)
