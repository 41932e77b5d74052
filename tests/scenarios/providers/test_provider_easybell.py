"""Rows 1.1 to 1.8: sizes and editions, changes of tariff, document 001."""

from collections.abc import Callable
from typing import Any

import pytest

Tell = Callable[..., Any]


def signed(size: str = "5", edition: str = "classic") -> str:
    """Write the signing on the first of March."""
    return f"  - {{on: 2026-03-01, sign: {{choose: {{size: '{size}', edition: {edition}}}}}}}\n"


FULL = "  - {on: 2026-03-02, use: {counts: {extensions: 5, devices: 5}}}\n"
WANTED = "  - {on: 2026-04-10, create: {counts: {extensions: 1, devices: 1}, offer: bigger}}\n"


@pytest.mark.row("1.1")
def test_row_1_1_more_than_the_tariff_includes_is_held_back_with_an_offer(tell: Tell) -> None:
    """The offer says which tariff, what it costs and from when; until it is accepted nothing is created."""
    told = tell("easybell", signed() + FULL + WANTED, until="2026-06-01")
    assert told.answers[-1] == "held-back"
    assert told.why() == ["6 extensions are 1 more than allowed", "6 devices are 1 more than allowed"]
    quote = told.last["quote"]
    assert [(one["choice"], one["from"], one["to"]) for one in quote["changes"]] == [("size", "5", "10")]
    assert quote["price_per_month"] == {"before": "9.90", "after": "17.90"}
    assert quote["effective"] == "2026-05-01"
    assert told.limits("2026-05-31") == {"devices": 5, "extensions": 5}


@pytest.mark.row("1.1")
def test_row_1_1_accepting_the_offer_does_both(tell: Tell) -> None:
    """With the order the tariff is changed and what was wanted is there: a smaller size is refused then."""
    accept = "  - {on: 2026-04-10, at: '09:00', order: {quote: bigger}}\n"
    smaller = "  - {on: 2026-05-10, order: {choose: {size: '5'}}}\n"
    told = tell("easybell", signed() + FULL + WANTED + accept + smaller, until="2026-06-01")
    assert told.answers[-2:] == ["accepted", "refused"]
    assert told.why()[0] == "6 extensions are in use, and 5 would be allowed"


@pytest.mark.row("1.1")
def test_row_1_1_the_offer_is_the_smallest_size_that_suffices(tell: Tell) -> None:
    """Twelve need the size of twenty; more than any size has is refused without an offer."""
    events = (
        "  - {on: 2026-04-10, create: {counts: {extensions: 12}}}\n"
        "  - {on: 2026-04-11, create: {counts: {extensions: 21}}}\n"
    )
    told = tell("easybell", signed() + events, until="2026-06-01")
    assert told.values["events"][1]["quote"]["changes"][0]["to"] == "20"
    assert told.answers[-2:] == ["held-back", "refused"]


@pytest.mark.row("1.2")
@pytest.mark.parametrize(
    ("size", "edition", "price"),
    [
        *(("5", "classic", "9.90"), ("10", "classic", "17.90"), ("20", "classic", "29.90")),
        *(("5", "pro", "14.90"), ("10", "pro", "26.90"), ("20", "pro", "44.90")),
    ],
)
def test_row_1_2_size_and_edition_are_independent(tell: Tell, size: str, edition: str, price: str) -> None:
    """Every size is there in both editions; changing one leaves the other."""
    told = tell("easybell", signed(size, edition), until="2026-04-02")
    assert told.values["invoices"][-1]["lines"][-1]["amount"] == price
    other = "pro" if edition == "classic" else "classic"
    change = f"  - {{on: 2026-03-05, order: {{choose: {{edition: {other}}}}}}}\n"
    changed = tell("easybell", signed(size, edition) + change, until="2026-04-02")
    assert changed.state["choices"] == {"size": size, "edition": other}


@pytest.mark.row("1.3")
def test_row_1_3_a_change_of_tariff_costs_nothing(tell: Tell) -> None:
    """Up and down again: invoices hold the months of the tariffs and nothing else."""
    events = (
        "  - {on: 2026-03-20, order: {choose: {size: '20', edition: pro}}}\n"
        "  - {on: 2026-04-20, order: {choose: {size: '5', edition: classic}}}\n"
    )
    told = tell("easybell", signed() + events, until="2026-06-01")
    kinds = {line["kind"] for one in told.values["invoices"] for line in one["lines"]}
    assert kinds == {"month"}
    assert told.invoices == {"2026-04-01": "54.80", "2026-05-01": "9.90", "2026-06-01": "9.90"}


@pytest.mark.row("1.4")
@pytest.mark.parametrize("feature", ["call-flow-creator", "analytics", "desktop-client"])
def test_row_1_4_pro_functions_are_closed_to_classic(tell: Tell, feature: str) -> None:
    """A Classic tenant cannot use them and is told why; a Pro tenant can."""
    use = f"  - {{on: 2026-03-10, use: {{features: [{feature}]}}}}\n"
    told = tell("easybell", signed() + use, until="2026-04-01")
    assert told.answers[-1] == "refused"
    assert told.why() == [f"{feature} belongs to edition pro; this contract has edition classic"]
    assert tell("easybell", signed("5", "pro") + use, until="2026-04-01").answers[-1] == "accepted"


@pytest.mark.row("1.5")
def test_row_1_5_pro_functions_are_removed_before_classic(tell: Tell) -> None:
    """The refusal lists everything that is in use; when it is gone the change is ordered."""
    events = (
        "  - {on: 2026-03-10, use: {features: [desktop-client, analytics]}}\n"
        "  - {on: 2026-03-11, order: {choose: {edition: classic}}}\n"
        "  - {on: 2026-03-12, use: {features: []}}\n"
        "  - {on: 2026-03-13, order: {choose: {edition: classic}}}\n"
    )
    told = tell("easybell", signed("5", "pro") + events, until="2026-05-01")
    assert told.answers == ["accepted", "accepted", "refused", "accepted", "accepted"]
    assert told.why(2) == [
        "analytics is in use and would be lost",
        "desktop-client is in use and would be lost",
    ]
    assert told.invoices["2026-04-01"] == "24.80"  # March Pro, April Classic


@pytest.mark.row("1.6")
def test_row_1_6_a_smaller_size_is_refused_with_the_counts(tell: Tell) -> None:
    """Extensions and devices are reduced to the maximum of the target first."""
    events = (
        "  - {on: 2026-03-10, use: {counts: {extensions: 7, devices: 6}}}\n"
        "  - {on: 2026-03-11, order: {choose: {size: '5'}}}\n"
    )
    told = tell("easybell", signed("10") + events, until="2026-05-01")
    refusals = told.last["refusals"]
    assert [(one["message"], one["remedy"]) for one in refusals] == [
        ("7 extensions are in use, and 5 would be allowed", "remove 2 extensions first"),
        ("6 devices are in use, and 5 would be allowed", "remove 1 devices first"),
    ]


@pytest.mark.row("1.7")
def test_row_1_7_an_order_is_of_exactly_what_was_quoted(tell: Tell) -> None:
    """The summary comes first, the button has the legal words; the change begins with the next month."""
    events = (
        "  - {on: 2026-03-10, quote: {label: up, choose: {size: '10'}}}\n"
        "  - {on: 2026-03-12, order: {quote: up}}\n"
    )
    told = tell("easybell", signed() + events, until="2026-05-01")
    quote, order = (one["quote"] for one in told.values["events"][-2:])
    assert order["id"] == quote["id"]
    assert quote["button"]["de"] == "kostenpflichtig bestellen"
    assert quote["effective"] == "2026-04-01"
    assert quote["next_invoice"]["difference"] == "8.00"
    assert told.invoices == {"2026-04-01": "27.80", "2026-05-01": "17.90"}


@pytest.mark.row("1.7")
def test_row_1_7_a_quote_that_no_longer_holds_is_not_ordered(tell: Tell) -> None:
    """What was quoted in March would begin later in April: the order is refused and nothing changes."""
    events = (
        "  - {on: 2026-03-30, quote: {label: up, choose: {size: '10'}}}\n"
        "  - {on: 2026-04-02, order: {quote: up}}\n"
    )
    told = tell("easybell", signed() + events, until="2026-06-01")
    assert told.answers[-1] == "refused"
    assert told.last["refusals"][0]["code"] == "quote-changed"
    assert told.state["choices"]["size"] == "5"


@pytest.mark.row("1.7")
def test_row_1_7_conditions_are_checked_again_on_the_day_of_the_change(tell: Tell) -> None:
    """Ordered with five extensions; on the day there are six: the change is held back with its reason."""
    events = (
        "  - {on: 2026-03-10, use: {counts: {extensions: 5}}}\n"
        "  - {on: 2026-03-11, order: {choose: {size: '5'}}}\n"
        "  - {on: 2026-03-20, create: {counts: {extensions: 1}}}\n"
    )
    told = tell("easybell", signed("10") + events, until="2026-05-01")
    (held,) = [one for one in told.values["happened"] if one["what"] == "held-back"]
    assert held["on"] == "2026-04-01"
    assert held["refusals"][0]["message"] == "6 extensions are in use, and 5 would be allowed"
    assert told.state["choices"]["size"] == "10"
    assert told.invoices["2026-05-01"] == "17.90"


@pytest.mark.row("1.8")
def test_row_1_8_extensions_work_at_once_and_cost_from_the_change_on(tell: Tell) -> None:
    """Ordered in the middle of March: ten may be used from that day, and April is the first month charged."""
    order = "  - {on: 2026-03-10, order: {choose: {size: '10', edition: pro}}}\n"
    told = tell("easybell", signed() + order, until="2026-05-01")
    assert told.limits("2026-03-09") == {"devices": 5, "extensions": 5}
    assert told.limits("2026-03-10") == {"devices": 10, "extensions": 10}
    assert told.features("2026-03-31") == []  # Pro functions wait
    assert told.features("2026-04-01") == ["analytics", "call-flow-creator", "desktop-client"]
    assert told.invoices == {"2026-04-01": "36.80", "2026-05-01": "26.90"}  # March 9.90 and April 26.90
