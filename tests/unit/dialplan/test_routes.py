"""Which trunks a call takes, in which order, and what their carriers are told of who calls."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from dialplan import carriers
from dialplan.build import build_plan
from dialplan.carriers import NO_CARRIERS, Carriers, Route
from dialplan.checks import check_tenant
from dialplan.decide import decide
from dialplan.decision import Outside, Reason, Reject, Step
from dialplan.facts import Facts, Origin, State
from dialplan.notation import Form, Notation
from dialplan.presentation import USUAL, From, Identity, Presentation, in_words, way_of
from dialplan.published import Published
from dialplan.spec import RouteSpec, TenantSpec
from pbxcore.machine.asterisk import ways
from pbxcore.settings import Settings, Trunk

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
BERLIN, VIENNA, PREMIUM = "+493012345678", "+4315551234", "+499001234567"
TRUNKS = ("carrier", "backup", "alpine")
DOCUMENT: dict[str, Any] = {
    "version": 1, "tenant": "acme", "name": "Acme", "country": "DE", "time_zone": "Europe/Berlin",
    "account": "acme", "numbers": {"+493055500100": {"to": "extension 10"}},
    "extensions": {"10": {"name": "A", "devices": ["p10"]}},
}  # fmt: skip
MACHINE = Carriers(
    capacity={"alpine": 2},
    routes=(
        Route(rule="service.routes.0", trunks=("alpine", "carrier"), countries=frozenset({"AT"})),
        Route(rule="service.routes.1", trunks=("backup",), costly=True),
    ),
    presentation={"alpine": Presentation(From.NETWORK, Identity.REMOTE_PARTY)},
    notations={"alpine": Notation(Form.NATIONAL, "AT"), "backup": Notation(Form.ZEROS)},
)


def leaves_by(number: str, known: Carriers = MACHINE, **more: object) -> tuple[tuple[str, ...], set[str]]:
    """Give the trunks of a call and the rules that spoke."""
    step, rules = decided(number, known, **more)
    assert isinstance(step, Outside)
    return step.trunks, rules


def decided(number: str, known: Carriers = MACHINE, **more: object) -> tuple[Step, set[str]]:
    """Decide a call of the tenant's phone; give its only step and the rules that spoke."""
    plan = build_plan(TenantSpec.model_validate({**DOCUMENT, **more}), revision=1, trunks=TRUNKS)
    phone = "acme-p10"
    facts = Facts(call="c", linkedid="c", origin=Origin.PHONE, endpoint=phone, actor=phone, dialled=number)
    decision = decide(Published(carriers=known).with_plan(plan), facts, State(), NOW)
    (step,) = decision.steps
    return step, {one.rule for one in decision.because}


@pytest.mark.parametrize(
    "broken",
    [
        {"trunks": []},
        {"trunks": ["Trunk 1"]},
        {"trunks": ["a"], "countries": ["XX"]},
        {"trunks": ["a"], "numbers": ["0900"]},
        {"numbers": ["+43*"]},
    ],
)
def test_what_is_no_route(broken: dict[str, object]) -> None:
    """No trunk, another's spelling, a country nobody knows, a number without country code."""
    with pytest.raises(ValidationError):
        RouteSpec.model_validate(broken)


def own(trunks: list[str], **more: object) -> dict[str, Any]:
    """Give a tenant a route."""
    return {"routes": [{"trunks": trunks, **more}]}


@pytest.mark.parametrize(
    ("number", "more", "trunks", "rule"),
    [
        (BERLIN, {}, TRUNKS, ""),
        (VIENNA, {}, ("alpine", "carrier"), "service.routes.0"),
        (PREMIUM, {}, ("backup",), "service.routes.1"),
        (BERLIN, {"trunks": ["backup", "carrier"]}, ("backup", "carrier"), ""),
        # of a route of the machine, what the tenant uses; none of it: the route is not for this tenant
        (VIENNA, {"trunks": ["backup", "carrier"]}, ("carrier",), "service.routes.0"),
        (VIENNA, {"trunks": ["backup"]}, ("backup",), ""),
        # the tenant's own routes speak first
        (VIENNA, own(["backup"], numbers=["+431*"]), ("backup",), "routes.0"),
        (VIENNA, own(["backup"], numbers=["+435*"]), ("alpine", "carrier"), "service.routes.0"),
        (BERLIN, own(["alpine"], countries=["DE"], costly=False), ("alpine",), "routes.0"),
        (PREMIUM, own(["alpine"], countries=["DE"], costly=False), ("backup",), "service.routes.1"),
        # published when there still was such a trunk
        (BERLIN, own(["gone", "backup"], countries=["DE"]), ("backup",), "routes.0"),
        (VIENNA, own(["gone"], countries=["DE"]), ("alpine", "carrier"), "service.routes.0"),
        (BERLIN, {"trunks": ["gone", "backup"]}, ("backup",), ""),
        (VIENNA, {"trunks": ["gone"], **own(["alpine"], countries=["AT"])}, ("alpine",), "routes.0"),
        # help leaves by any
        ("112", {"trunks": ["alpine"]}, TRUNKS, "emergency"),
        ("112", {"trunks": ["gone"]}, TRUNKS, "emergency"),
        ("112", own(["gone"], countries=["DE"]), TRUNKS, "emergency"),
    ],
)  # fmt: skip
def test_the_first_route_that_fits_names_the_trunks(
    number: str, more: dict[str, Any], trunks: tuple[str, ...], rule: str
) -> None:
    """The tenant's routes, then the machine's, then the tenant's trunks; the explanation names the route."""
    taken, rules = leaves_by(number, **more)
    assert taken == trunks
    assert rule in rules or not rule


@pytest.mark.parametrize("number", [BERLIN, VIENNA, PREMIUM])
@pytest.mark.parametrize("known", [NO_CARRIERS, MACHINE])
@pytest.mark.parametrize(
    "more", [{}, own(["gone"], countries=["DE", "AT"]), own(["alpine"], numbers=["+435*"])]
)
def test_a_tenant_whose_trunks_are_gone_leaves_by_no_other(
    number: str, known: Carriers, more: dict[str, Any]
) -> None:
    """Who names trunks is bound to them, also when the machine has lost them since."""
    step, _ = decided(number, known, trunks=["gone"], **more)
    assert isinstance(step, Reject)
    assert step.reason is Reason.NO_TRUNK


@pytest.mark.parametrize("known", [NO_CARRIERS, MACHINE])
@pytest.mark.parametrize("more", [{}, {"trunks": ["carrier"]}])
def test_a_route_whose_trunks_are_gone_leaves_by_no_other(known: Carriers, more: dict[str, Any]) -> None:
    """It is refused by the name of the route; no other route or trunk takes the calls that it is for."""
    routes = [
        {"trunks": ["gone"], "countries": ["AT"]},
        {"trunks": ["alpine"], "countries": ["AT", "DE"]},
    ]
    step, rules = decided(VIENNA, known, routes=routes, **more)
    assert isinstance(step, Reject)
    assert step.reason is Reason.NO_TRUNK
    assert "routes.0" in rules
    taken, _ = leaves_by(BERLIN, known, routes=routes, **more)
    assert taken == ("alpine",)


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"trunks": ["carrier", "alpin"]}, "unknown-trunk", ("trunks", 1)),
        (
            {"routes": [{"countries": ["AT"], "trunks": ["carrier", "x"]}]},
            "unknown-trunk",
            ("routes", 0, "trunks", 1),
        ),
        ({"routes": [{"trunks": ["carrier"]}]}, "route-for-all", ("routes", 0)),
    ],
)
def test_a_broken_document_is_told_where(
    more: dict[str, Any], code: str, path: tuple[str | int, ...]
) -> None:
    """A trunk that is not there, and a route that hides all others."""
    (found,) = check_tenant(TenantSpec.model_validate({**DOCUMENT, **more}), trunks=TRUNKS)
    assert (found.code, found.path) == (code, path)
    assert found.remedy


def test_a_route_of_the_machine_to_nowhere_stops_the_start() -> None:
    """The settings are refused, with the trunk that is not there."""
    carrier = Trunk(name="carrier", host="127.0.0.2")
    with pytest.raises(ValidationError, match="alpin"):
        Settings(trunks=(carrier,), routes=(RouteSpec(trunks=("alpin",), countries=("AT",)),))


@pytest.mark.parametrize("known", [NO_CARRIERS, MACHINE])
def test_what_is_known_of_trunks_survives_the_disk(known: Carriers) -> None:
    """What is read back is what was written."""
    assert carriers.from_json(carriers.to_json(known)) == known


@pytest.mark.parametrize(
    ("wanted", "hidden", "said"),
    [
        (USUAL, False, "From +1, p-asserted-identity +2"),
        (USUAL, True, "From anonymous, p-asserted-identity +2"),
        (Presentation(From.NETWORK), False, "From +2, p-asserted-identity +1"),
        (Presentation(From.NETWORK), True, "From anonymous, p-asserted-identity +2"),
        (Presentation(From.USER, Identity.NONE), False, "From +1 alone"),
        (Presentation(From.NETWORK, Identity.REMOTE_PARTY), False, "From +2, remote-party-id +1"),
    ],
)
def test_a_carrier_is_told_two_numbers(wanted: Presentation, said: str, *, hidden: bool) -> None:
    """Who hides is anonymous, and the carrier knows ours all the same."""
    assert in_words(wanted, presented="+1", network="+2", hidden=hidden) == said


def test_each_trunk_has_its_way() -> None:
    """Asterisk finds by a trunk's name how its carrier wants it, emergency calls too."""
    trunks = (
        Trunk(name="one", host="127.0.0.2"),
        Trunk(name="two", host="127.0.0.3", caller=From.NETWORK, identity=Identity.PREFERRED),
    )
    assert ways(Settings(trunks=trunks)).splitlines()[1:] == ["WAY_one = s", "WAY_two = network_ppi"]
    assert way_of(Presentation(From.USER, Identity.NONE)) == "user_none"
