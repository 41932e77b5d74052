"""The autphone document, row by row of what the provider publishes."""

from collections.abc import Callable

import pytest

from rating.book import Book
from rating.catalogue import REST, CatalogueSpec
from rating.leg import Leg
from rating.rate import rate

MakeLeg = Callable[..., Leg]
MakeBook = Callable[..., Book]

# The three lists of the document in its own order and words, and what each word is in ISO 3166.
GERMANY = {"Deutschland": "DE"}
DACH = {**GERMANY, "Österreich": "AT", "Schweiz": "CH"}
EUROPE = dict(
    pair.split("=")
    for pair in """Albanien=AL,Andorra=AD,Aserbaidschan=AZ,Belgien=BE,Bosnien und Herzegowina=BA,Bulgarien=BG,
    Dänemark=DK,Deutschland=DE,Estland=EE,Finnland=FI,Frankreich=FR,Georgien=GE,Irland=IE,Island=IS,Italien=IT,
    Kasachstan=KZ,Kosovo=XK,Kroatien=HR,Lettland=LV,Liechtenstein=LI,Litauen=LT,Luxemburg=LU,Malta=MT,
    Mazedonien=MK,Moldau=MD,Monaco=MC,Montenegro=ME,Niederlande=NL,Norwegen=NO,Österreich=AT,Polen=PL,
    Portugal=PT,Rumänien=RO,Russland=RU,San Marino=SM,Schweden=SE,Schweiz=CH,Serbien=RS,Slowakei=SK,
    Slowenien=SI,Spanien=ES,Tschechien=CZ,Türkei=TR,Ukraine=UA,Ungarn=HU,Vatikanstadt=VA,
    Vereinigtes Königreich=GB,Weißrussland=BY""".replace("\n", "").split(",")
)
EXPORT = dict(
    pair.split("=")
    for pair in """Brasilien=BR,China=CN,Hongkong=HK,Indien=IN,Israel=IL,Japan=JP,Kanada=CA,Mexiko=MX,
    Saudi-Arabien=SA,Singapur=SG,Südafrika=ZA,USA=US,Vereinigte Arabische Emirate=AE""".replace(
        "\n", ""
    ).split(",")
)


@pytest.mark.row("3.4")
@pytest.mark.parametrize(
    ("bundle", "prices"),
    [("de", (10, 20, 40)), ("dach", (20, 40, 80)), ("europe", (90, 180, 360)), ("export", (100, 200, 400))],
)
def test_3_4_bundles_have_the_prices_of_the_document(
    autphone: CatalogueSpec, bundle: str, prices: tuple[int, ...]
) -> None:
    """Row 3.4: S, M and L of the four bundles."""
    sizes = autphone.bundles[bundle].sizes
    assert tuple(sizes) == ("S", "M", "L")
    assert tuple(size.price_per_month for size in sizes.values()) == tuple(
        euro * 1_000_000 for euro in prices
    )


@pytest.mark.row("3.4")
def test_3_4_there_are_four_bundles_and_no_other(autphone: CatalogueSpec) -> None:
    """Row 3.4: Deutschland, DACH, Europa, Export."""
    assert set(autphone.bundles) == {"de", "dach", "europe", "export"}


@pytest.mark.row("3.5")
@pytest.mark.parametrize(("size", "fixed", "mobile"), [("S", 500, 100), ("M", 1000, 200), ("L", 2000, 400)])
@pytest.mark.parametrize("bundle", ["de", "dach", "europe", "export"])
def test_3_5_free_minutes_are_drawn_and_overflow_is_charged(  # noqa: PLR0917 — a table and two fixtures
    make_leg: MakeLeg, make_book: MakeBook, bundle: str, size: str, fixed: int, mobile: int
) -> None:
    """Row 3.5: two pools, call by call; a call is split at the boundary, then each minute has its price."""
    book = make_book(f"{bundle}/{size}")
    for number, minutes, price_micro in (
        ("+493012345678", fixed, 19_000),
        ("+4915112345678", mobile, 99_000),
    ):
        hours, rest = divmod(minutes + 2, 60)
        legs = [make_leg(number, 3600, key=str(hour)) for hour in range(hours)] + [
            make_leg(number, rest * 60 - 30)
        ]
        rating = rate(legs, book, {})
        amounts = [leg.amount_micro for leg in rating.rated]
        assert amounts == [0] * (len(legs) - 1) + [2 * price_micro]
        assert [piece.seconds for piece in rating.rated[-1].pieces] == [rest * 60 - 120, 120]
        assert list(rating.used.values()) == [minutes * 60]


@pytest.mark.row("3.6")
@pytest.mark.parametrize(
    ("bundle", "countries"),
    [("de", GERMANY), ("dach", DACH), ("europe", EUROPE), ("export", {**EUROPE, **EXPORT})],
)
def test_3_6_bundles_cover_exactly_the_lists(
    autphone: CatalogueSpec, bundle: str, countries: dict[str, str]
) -> None:
    """Row 3.6: the lists of the document and nothing else; Export contains Europe."""
    covered = [
        country for zone in autphone.bundles[bundle].zones for country in autphone.zones[zone].countries
    ]
    assert sorted(covered) == sorted(value.strip() for value in countries.values())


@pytest.mark.row("3.6")
def test_3_6_greece_is_in_none(autphone: CatalogueSpec) -> None:
    """Row 3.6: what no list names is in no bundle."""
    named = {c for zone in autphone.zones.values() if zone.countries != REST for c in zone.countries}
    assert "GR" not in named
    assert len(named) == len(EUROPE) + len(EXPORT)
    assert all("World" not in bundle.zones for bundle in autphone.bundles.values())
