"""The order form says what its quote says, in each language, and keeps room for what nobody told us."""

import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import pypdf
import pytest
import yaml

from pbxcore import documents
from pbxcore.paper.order import content, order_form
from pbxcore.paper.terms import in_words
from pbxcore.paper.words import LANGUAGES, words, written_amount
from rating.catalogue import CatalogueSpec
from rating.contract import document
from rating.contract.document import ContractSpec, OrderSpec, SignSpec
from rating.contract.edition import Shelf, shelf
from rating.contract.history import Customer, history
from rating.contract.opening import Opening, quote_opening
from rating.contract.quote import Quote, quote

CHECKOUT = Path(__file__).parents[3]
SHELF: Shelf = shelf(
    [
        one.spec
        for one in documents.read([CHECKOUT / "config/catalogues"])[0]
        if isinstance(one.spec, CatalogueSpec)
    ]
)
MARKUP = '#panic("x") *bold* _it_ $a$ <b> [y] \\ @z'


def contract(text: str) -> ContractSpec:
    """Read a contract."""
    return ContractSpec.model_validate({"version": 1, "contract": "acme", **yaml.safe_load(text)})


def quoted(spec: ContractSpec, day: str, **wanted: object) -> Quote:
    """Quote a change, or a signing where nothing is signed."""
    on, editions = date.fromisoformat(day), SHELF[spec.catalogue]
    customer = Customer(
        catalogue=spec.catalogue, holder=spec.holder, region=spec.region, customer=spec.customer
    )
    state = history(document.facts_of(spec, SHELF), SHELF, customer, on).states[-1]
    if spec.events:
        return quote(state, document.change_of(OrderSpec.model_validate(wanted), editions), SHELF, on)
    said = SignSpec.model_validate(wanted)
    opening = Opening(
        change=document.change_of(said, editions),
        begins=said.begins,
        old_contract_ends=said.old_contract_ends,
    )
    return quote_opening(state, opening, on)


def pages(spec: ContractSpec, made: Quote, language: str | None = None) -> list[str]:
    """Give the text of each page of a form, its white space made one."""
    (pdf,) = order_form(spec.contract, made, language=language)
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


CLOUD = contract("{catalogue: cloudpbx, customer: {name: Acme GmbH, address: [Ring 1, 10115 Berlin]}}")
OPENING: dict[str, Any] = {
    "add": {"user": 3, "number": 2, "porting": 1},
    "choose": {"package": "basic"},
    "old_contract_ends": "2026-08-28",
}

# Language → what stands on the form of a new contract: who, what, why, prices, dates, terms, signature.
SAID = {
    "de": (
        "Bestellformular Cloud PBX · Neuer Vertrag", "ANBIETER Cloud PBX GmbH (Beispiel)", "KUNDE Acme GmbH",
        "Kunde ist Unternehmen", "Vom 16.06.2026", "Bereit bis 18.06.2026", "portiert am 31.08.2026",
        "Paket Basic 16.06.2026", "Benutzer +3 16.06.2026", "Rufnummernportierung +1 Einmalig",
        "Beginnt mit der Bestellung: 16.06.2026", "Benutzer 3 4,90 14,70", "Im Monat ohne USt. 14,70",
        "USt. 19 % 2,79", "Im Monat mit USt. 17,49", "Neue Rufnummer 2 5,00 10,00",
        "Einmalig ohne USt. 10,00",
        "Auf der nächsten Rechnung, vom 01.07.2026 17,35 EUR, ohne USt.",
        "Keine Mindestlaufzeit; Frist 30 Tage zum Ende eines Monats", "Zahlungspflichtig bestellen",
        "Ort Datum Name in Druckbuchstaben Unterschrift", "Fax +49 30 23125 009", "Seite 2 von 2",
    ),
    "en": (
        "Order form Cloud PBX · New contract", "PROVIDER Cloud PBX GmbH (Beispiel)", "CUSTOMER Acme GmbH",
        "Customer is a company", "Of 2026-06-16", "Ready by 2026-06-18", "expected on 2026-08-31",
        "Package Basic 2026-06-16", "User +3 2026-06-16", "Porting of a number +1 Once",
        "Begins with the order: 2026-06-16", "User 3 4.90 14.70", "A month without VAT 14.70",
        "VAT 19 % 2.79", "A month with VAT 17.49", "New number 2 5.00 10.00", "Once without VAT 10.00",
        "On the next invoice, of 2026-07-01 17.35 EUR, without VAT",
        "No minimum term; notice of 30 days to the end of a month", "Order with obligation to pay",
        "Place Date Name in block letters Signature", "Fax +49 30 23125 009", "page 2 of 2",
    ),
    "it": (
        "Modulo d'ordine Cloud PBX · Nuovo contratto", "FORNITORE Cloud PBX GmbH (Beispiel)",
        "CLIENTE Acme GmbH", "Il cliente è un'azienda", "Del 16/06/2026", "Pronto entro il 18/06/2026",
        "prevista il 31/08/2026", "Pacchetto Basic 16/06/2026", "Utente +3 16/06/2026",
        "Portabilità del numero +1 Una tantum", "Inizia con l'ordine: 16/06/2026", "Utente 3 4,90 14,70",
        "Al mese, IVA esclusa 14,70", "IVA 19 % 2,79", "Al mese, IVA inclusa 17,49",
        "Nuovo numero 2 5,00 10,00",
        "Sulla prossima fattura, del 01/07/2026 17,35 EUR, IVA esclusa",
        "Nessuna durata minima; preavviso di 30 giorni alla fine di un mese", "Ordine con obbligo di pagare",
        "Luogo Data Nome in stampatello Firma", "Fax +49 30 23125 009", "pagina 2 di 2",
    ),
    "nl": (
        "Bestelformulier Cloud PBX · Nieuw contract", "AANBIEDER Cloud PBX GmbH (Beispiel)",
        "KLANT Acme GmbH",
        "Klant is een bedrijf", "Van 16-06-2026", "Gereed uiterlijk op 18-06-2026",
        "geporteerd op 31-08-2026",
        "Pakket Basic 16-06-2026", "Gebruiker +3 16-06-2026", "Nummerportering +1 Eenmalig",
        "Begint met de bestelling: 16-06-2026", "Gebruiker 3 4,90 14,70", "Per maand zonder btw 14,70",
        "Btw 19 % 2,79", "Per maand met btw 17,49", "Nieuw nummer 2 5,00 10,00",
        "Op de volgende factuur, van 01-07-2026 17,35 EUR, zonder btw",
        "Geen minimale looptijd; opzegtermijn 30 dagen tegen het einde van een maand",
        "Bestelling met betalingsverplichting", "Plaats Datum Naam in blokletters Handtekening",
        "pagina 2 van 2",
    ),
}  # fmt: skip


@pytest.mark.row("0.1")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_is_filled_in_in_each_language(language: str) -> None:
    """Parties, change, day with its reason, prices, terms and fields to sign, and the id on every page."""
    made = quoted(CLOUD, "2026-06-16", **OPENING)
    told = pages(CLOUD, made, language)
    for text in SAID[language]:
        assert text in " ".join(told), f"{text!r} is not in {told}"
    assert all(made.id in page for page in told)
    assert made.id in told[-1].partition("30 ")[2]  # beside the signature too


def test_the_form_of_a_change_shows_what_it_was_and_becomes() -> None:
    """Prices so far, a higher option that may be used before it begins, and what ends on its last day."""
    spec = contract("""
        catalogue: autphone
        events: [{"on": 2026-01-15, sign: {add: {extension: 49, number: 2, dach-S: 1}}}]
    """)
    wanted = {"add": {"extension": 4, "porting": 2, "dach-M": 1}, "remove": {"number": 1}}
    text = " ".join(pages(spec, quoted(spec, "2026-11-12", **wanted), "en"))
    assert "Active extension 53 6.00 318.00" in text  # the price reached is that of all
    assert "A month without VAT (so far 338.50) 358.00" in text
    assert "Single number \N{MINUS SIGN}1 2026-12-01 until 2026-11-30" in text
    assert "Porting (administration) of them included: 1 2 25.00 25.00" in text
    assert (
        "Received on 2026-11-12; notice is over on 2026-11-24; minimum term is over on 2026-02-14; "
        "possible at the end of a month: 2026-11-30; begins when what was before has ended: 2026-12-01"
    ) in text
    easy = contract("""
        catalogue: easybell
        events: [{"on": 2026-04-01, sign: {choose: {size: "5", edition: classic}}}]
    """)
    text = " ".join(pages(easy, quoted(easy, "2026-04-11", choose={"size": "20"}), "de"))
    assert "→ 20 Nebenstellen und Geräte 01.05.2026 nutzbar ab 11.04.2026" in text


# Language → what a form of cloudpbx says of users that are added: beside their day, why, and in the terms.
IN_FULL = {
    "de": (
        "+2 20.07.2026 ganzer Monat berechnet, ab 01.07.2026", "beginnt, wird ganz berechnet: ab 01.07.2026",
        "Hinzubestellen: Benutzer Der Monat, in dem hinzubestellt wird, wird ganz berechnet",
    ),
    "en": (
        "+2 2026-07-20 whole month charged, from 2026-07-01", "begins is charged in full: from 2026-07-01",
        "Adding: User The month in which it is added is charged in full",
    ),
    "it": (
        "+2 20/07/2026 mese intero addebitato, dal 01/07/2026", "addebitato per intero: dal 01/07/2026",
        "Aggiunta: Utente Il mese in cui si aggiunge è addebitato per intero",
    ),
    "nl": (
        "+2 20-07-2026 hele maand berekend, vanaf 01-07-2026", "wordt volledig berekend: vanaf 01-07-2026",
        "Bijbestellen: Gebruiker De maand waarin wordt bijbesteld, wordt volledig berekend",
    ),
}  # fmt: skip


@pytest.mark.row("0.7")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_says_that_what_is_added_costs_the_whole_month(language: str) -> None:
    """Users of the 20th cost 9.80 for July: the form says so where it counts, and says why."""
    spec = contract("""
        catalogue: cloudpbx
        events: [{"on": 2026-06-16, sign: {add: {user: 3}, choose: {package: basic}, signed_form: f.pdf}}]
    """)
    made = quoted(spec, "2026-07-20", add={"user": 2, "number": 1})
    assert sum(line.amount_micro for line in made.invoice_lines if line.kind == "month") == 9_800_000
    told = " ".join(pages(spec, made, language))
    for text in IN_FULL[language]:
        assert text in told, f"{text!r} is not in {told}"
    assert told.count(IN_FULL[language][0].partition(" ")[2]) == 1  # a number costs nothing a month


def test_what_is_added_by_the_day_says_nothing_of_whole_months() -> None:
    """Where a month that has begun is charged in part, no form says otherwise."""
    spec = contract("""
        catalogue: autphone
        events: [{"on": 2026-01-15, sign: {add: {extension: 4}}}]
    """)
    told = " ".join(pages(spec, quoted(spec, "2026-07-20", add={"extension": 1}), "en"))
    assert "whole month" not in told
    assert "charged in full" not in told


def test_the_form_of_a_credit_says_what_is_taken_at_once() -> None:
    """Prices with VAT, what the order takes from the credit, and a consumer's right to withdraw."""
    spec = contract("""
        catalogue: openvoip
        holder: private
        events:
          - {"on": 2026-04-01, top_up: "100.00"}
          - {"on": 2026-04-01, sign: {add: {extension: 2, number: 1}}}
    """)
    text = " ".join(pages(spec, quoted(spec, "2026-04-11", choose={"traffic": "flat"})))
    assert "Addebitato sul credito con l'ordine 9,60 EUR, IVA inclusa" in text
    assert "Differenza al prossimo addebito sul credito, il 01/05/2026 14,40 EUR" in text
    assert "Diritto di recesso Entro 14 giorni dalla firma" in text


def test_what_a_customer_is_called_is_text_and_never_markup() -> None:
    """Names may hold every sign that means something to the typesetter."""
    customer = {"name": MARKUP, "address": [MARKUP, '#include "/etc/passwd"'], "email": "#{1+1}@x.example"}
    spec = contract(yaml.safe_dump({"catalogue": "cloudpbx", "customer": customer}))
    text = " ".join(pages(spec, quoted(spec, "2026-06-16", **OPENING), "de"))
    assert f"KUNDE {MARKUP}" in text
    assert f'Anschrift {MARKUP} #include "/etc/passwd"' in text
    assert "#{1+1}@x.example" in text


@pytest.mark.parametrize("name", ["", "two\nlines", "bell\x07", "x" * 121])
def test_a_name_that_is_no_line_is_refused(name: str) -> None:
    """What cannot be printed on one line is a mistake of the document."""
    with pytest.raises(ValueError, match="customer"):
        contract(yaml.safe_dump({"catalogue": "cloudpbx", "customer": {"name": name}}))


def test_an_order_of_many_lines_takes_more_pages() -> None:
    """Nothing runs off a page: the last line, the sums and the signature are there, headed anew."""
    longest = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    customer = {"name": longest, "address": [longest] * 6, "email": "x" * 80 + "@acme.example"}
    spec = contract(yaml.safe_dump({"catalogue": "autphone", "customer": customer}))
    add = {name: 1 for name in SHELF["autphone"][0].offer.products if not name.endswith(("-M", "-L"))}
    made = quoted(spec, "2026-06-16", add=add)
    told = pages(spec, made, "en")
    assert len(told) >= 3
    assert "x" * 45 not in told[0], "a word that is longer than its column is broken"
    assert all(f"page {number} of {len(told)}" in page for number, page in enumerate(told, start=1))
    rows = content(spec.contract, made, language="en").has
    assert all(" ".join(row).replace("\n", " ") in " ".join(told) for row in rows)
    assert "Signature" in told[-1]


def test_who_is_not_known_is_left_blank() -> None:
    """A contract without a customer, under an offer without an issuer, gives a form to fill in by hand."""
    spec = contract("{catalogue: cloudpbx}")
    said = content(spec.contract, quoted(spec, "2026-06-16", **OPENING))
    assert said.language == "de"  # the provider's
    assert said.parties[1].name == ""
    assert ("Anschrift", "") in said.parties[1].rows


def test_another_holder_stands_on_the_form_from_the_change_of_hands_on() -> None:
    """By ticket a consumer's contract goes to a company: its name, its VAT number, no right to withdraw."""
    spec = contract("""
        catalogue: openvoip
        holder: private
        customer: {name: Ada Rossi, language: de}
        events:
          - {"on": 2026-04-01, top_up: "100.00"}
          - {"on": 2026-04-01, sign: {add: {extension: 2, number: 1}}}
          - "on": 2026-04-10
            holder: {kind: company, ticket: T-1, opened_by: Ada Rossi, customer: {name: Rossi S.r.l.}}
    """)
    before = " ".join(pages(spec, quoted(spec, "2026-04-09", add={"blf": 1})))
    after = " ".join(pages(spec, quoted(spec, "2026-04-11", add={"blf": 1})))
    assert "KUNDE Ada Rossi" in before
    assert "Widerrufsrecht" in before
    assert "CLIENTE Rossi S.r.l." in after
    assert "Il cliente è un'azienda" in after
    assert "Diritto di recesso" not in after


def test_the_customers_language_comes_before_the_providers() -> None:
    """A form speaks the customer's language, the provider's, or what is asked for."""
    spec = contract("{catalogue: cloudpbx, customer: {name: A, language: nl}}")
    made = quoted(spec, "2026-06-16", **OPENING)
    assert content(spec.contract, made).language == "nl"
    assert content(spec.contract, made, language="it").language == "it"


def test_the_same_quote_gives_the_same_bytes() -> None:
    """A form can be compared with the copy that comes back: nothing of the moment is in it."""
    made = quoted(CLOUD, "2026-06-16", **OPENING)
    assert order_form("acme", made) == order_form("acme", made)


def test_every_language_has_every_word_of_the_form() -> None:
    """Rules of days, ends and billing are never shown by their keys, nor in another language."""
    said = {language: words(language, "order_words.yaml") for language in LANGUAGES}
    assert all(text for table in said.values() for text in table.values())
    source = "".join(path.read_text() for path in (CHECKOUT / "rating/contract").glob("*.py"))
    elsewhere = {
        "ready-by",
        "porting",
        "withdrawal",
        "holder",
        "term",
        "notice-by",
        "over",
        "booked",
        "goes-on",
        "contract-ends",
        "credit",
    }  # on no form
    rules = set(re.findall(r'Step\(\s*"([a-z-]+)"', source)) - elsewhere
    assert rules >= {"received", "processed", "notice", "minimum", "after", "version", "wished", "at-once"}
    rules |= {"any-day", "month-end", "term-end", "next-month"}  # by the terms and changes of offers
    assert {f"step.{rule}" for rule in rules} <= said["en"].keys()
    for table in said.values():
        for editions in SHELF.values():
            for product in editions[0].offer.products.values():
                assert in_words(product.less or editions[0].offer.less, editions[0], table)


AMOUNTS = [
    ("en", "1234567.50", "1,234,567.50"),
    ("de", "1234567.50", "1.234.567,50"),
    ("it", "0.004900", "0,004900"),
    ("nl", "-12.00", "\N{MINUS SIGN}12,00"),
]


@pytest.mark.parametrize(("language", "amount", "expected"), AMOUNTS)
def test_amounts_are_written_as_the_language_does(language: str, amount: str, expected: str) -> None:
    """Decimal mark, thousands and minus."""
    assert written_amount(words(language), amount) == expected
