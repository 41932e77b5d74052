"""What a catalogue sells besides minutes: products, choices, terms and how all of it is billed.

Owns the part `offer` of the document `config/catalogues/<name>.yaml`. Refuses what must be true of it
(`rating.offer_checks`), customers, and what follows for a contract on a day (`rating.contract`).

A **choice** is a dimension of which a contract has exactly one option, in rising order: a package, a size, an
edition. A **product** has a quantity and a price a month, once, or both; its price may depend on choices. The
catalogue's bundles are choices too, with the options `none` and their sizes, and get their terms here.
"""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
)

from rating import money
from rating.party import IssuerSpec

NONE = "none"  # option of a bundle: not booked
# The most that terms may say: nobody promises more, and each day of a notice is walked when it is asked for
# (`rating.contract.ending`, `rating.contract.calendar`).
NoticeDays = Annotated[int, Field(ge=1, le=730)]
NoticeMonths = Annotated[int, Field(ge=1, le=24)]
NoticeWorkingDays = Annotated[int, Field(ge=1, le=500)]
WorkingDays = Annotated[int, Field(ge=1, le=20)]
TermMonths = Annotated[int, Field(ge=1, le=120)]
WithdrawalDays = Annotated[int, Field(ge=1, le=366)]


def _amount(written: object) -> int:
    try:
        micro = money.parse(written)
    except ValueError as wrong:
        raise ValueError(
            f"write {_example(written)}, in quotes, with a point and up to six decimals"
        ) from wrong
    return money.meant(micro)


def _example(written: object) -> str:
    """Give an amount that may have been meant."""
    meant = str(written).strip().replace(",", ".")
    try:
        money.parse(meant)
    except ValueError:
        return 'an amount like "0.019"'
    return f'"{meant}"'


Amount = Annotated[
    NonNegativeInt,
    BeforeValidator(_amount),
    PlainSerializer(money.text, return_type=str, when_used="json"),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,31}$")]
When = dict[Name, Name]
"""Choice → option: true while a contract has these options."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Texts(_Part):
    """What people read, in each language we speak.

    Attributes:
        de: German.
        en: English.
        it: Italian.
        nl: Dutch.
    """

    de: str
    en: str
    it: str
    nl: str


class NoticeSpec(_Part):
    """How long before its end something must be given up; one of these.

    Attributes:
        days: calendar days; the day of notice is not counted.
        months: from the day of notice to the day of the same number (§ 188 BGB).
        calendar_months: whole calendar months that begin after the notice.
        working_days: of the calendar; the day of notice is not counted.
    """

    days: NoticeDays | None = None
    months: NoticeMonths | None = None
    calendar_months: NoticeMonths | None = None
    working_days: NoticeWorkingDays | None = None


class StatuteSpec(_Part):
    """A better right than the contract's that a law gives the customer, told beside the answer.

    Attributes:
        law: where it stands.
        after: from when it holds.
        notice: after which the contract may end on any day.
    """

    law: str
    after: Literal["prolongation"]
    notice: NoticeSpec


class TermSpec(_Part):
    """How something ends.

    Attributes:
        minimum_months: it runs for as many months, from its own first day; none: no minimum.
        prolongation_months: after the minimum it runs on by as many months at a time (`ends: term-end`).
        notice: none: it may be given up to the last moment.
        processing_working_days: notice counts from when it has been processed; so long that takes at most.
        ends: on which days it can end.
        week: which days are working days, if not those of the offer's calendar.
        statute: what a law gives beside.
    """

    minimum_months: TermMonths | None = None
    prolongation_months: TermMonths | None = None
    notice: NoticeSpec | None = None
    processing_working_days: WorkingDays | None = None
    ends: Literal["any-day", "month-end", "term-end"]
    week: Literal["mon-fri", "mon-sat"] | None = None
    statute: StatuteSpec | None = None


class ChangeSpec(_Part):
    """How more of something begins.

    Attributes:
        begins: with the order, or with the next month.
        usable: `at-once`: it may be used from the order on, though it begins, and is charged, later.
        charged: in the month in which it begins, by the day or in full.
    """

    begins: Literal["at-once", "next-month"]
    usable: Literal["with-change", "at-once"] = "with-change"
    charged: Literal["pro-rata", "full-month"] = "pro-rata"


class TierSpec(_Part):
    """The price of each unit, of all of them, from so many units on.

    Attributes:
        least: how many units (`from` in the document).
        price_per_month: of each unit.
    """

    least: PositiveInt = Field(alias="from")
    price_per_month: Amount


class PriceSpec(_Part):
    """The price of a unit while a contract has some options.

    Attributes:
        when: these options, all of them.
        price_per_month: of each unit.
    """

    when: When = Field(min_length=1)
    price_per_month: Amount


class ProductSpec(_Part):
    """Something that is counted and has a price.

    Attributes:
        name: what people read.
        price_per_month: for each unit; or `tiers`, `prices` or `buy_out`; none of them: nothing a month.
        tiers: the price reached is that of all units.
        prices: by what the contract has chosen; where no row holds, the product is not sold.
        buy_out: of the catalogue, whose price this is.
        price_once: for each unit that is ordered.
        first_free: so many units of a contract cost nothing once.
        included: so many units cost nothing a month.
        per: its quantity is always that of this product; nobody orders it.
        when: it is there only while the contract has these options.
        group: of the products of a group a contract has one at a time; another one begins when it has ended.
        comes_with: quantity of a new contract that does not say.
        minimum: what a contract must keep.
        maximum: what it may have.
        grants: what a unit allows the tenant to have: extensions, devices.
        contains: what a service includes at most, for people to read.
        more: how units are added, unless as the offer says.
        less: how units are given up, unless as the offer says.
    """

    name: Texts
    price_per_month: Amount | None = None
    tiers: tuple[TierSpec, ...] = ()
    prices: tuple[PriceSpec, ...] = ()
    buy_out: Name | None = None
    price_once: Amount = 0
    first_free: NonNegativeInt = 0
    included: NonNegativeInt = 0
    per: Name | None = None
    when: When = Field(default_factory=dict)
    group: Name | None = None
    comes_with: NonNegativeInt = 0
    minimum: NonNegativeInt = 0
    maximum: PositiveInt | None = None
    grants: dict[Name, PositiveInt] = Field(default_factory=dict)
    contains: dict[Name, PositiveInt] = Field(default_factory=dict)
    more: ChangeSpec | None = None
    less: TermSpec | None = None

    @property
    def once_only(self) -> bool:
        """Whether it is done and paid once, and nothing of it goes on."""
        return not (self.price_per_month is not None or self.tiers or self.prices or self.buy_out)


class OptionSpec(_Part):
    """One of the options of a choice.

    Attributes:
        name: what people read.
        grants: what the tenant may have with it: extensions, devices.
        administers: what the tenant's own administrators may change; the rest the provider's staff does.
    """

    name: Texts
    grants: dict[Name, PositiveInt] = Field(default_factory=dict)
    administers: tuple[Name, ...] = ()


class ChoiceSpec(_Part):
    """A dimension in which a contract has one option, for all of its units.

    Attributes:
        name: what people read.
        options: in rising order.
        default: of a new contract that does not say; none: it must say.
        up: how a higher option begins.
        down: how a lower one does: the higher one ends first.
        one_for_all: what is answered who orders several options at once.
    """

    name: Texts
    options: dict[Name, OptionSpec] = Field(min_length=1)
    default: Name | None = None
    up: ChangeSpec
    down: TermSpec
    one_for_all: Texts | None = None


class BundleTermsSpec(_Part):
    """How the catalogue's bundles are booked.

    Attributes:
        begin: how a size begins where there was none.
        end: how a size is given up, also for another one.
    """

    begin: ChangeSpec
    end: TermSpec


class FeatureSpec(_Part):
    """A function that not every contract has: while it has these options, or a unit of a product.

    Attributes:
        name: what people read.
        when: these options, all of them.
        product: a unit of which brings it.
    """

    name: Texts
    when: When = Field(default_factory=dict)
    product: Name | None = None


class PrepaidSpec(_Part):
    """Rules of a credit.

    Attributes:
        debit_below_zero: the monthly debit may take the credit below zero; calls and orders never.
        cancel_below_zero: whether a contract may be cancelled with a debt.
        refund: what is left is paid back after the end.
    """

    debit_below_zero: bool
    cancel_below_zero: bool
    refund: bool


class BillingSpec(_Part):
    """When and how what a contract costs is charged.

    Attributes:
        charged: `advance`: a month on its first day; `arrears`: on the first day of the next one.
        first_month: of the contract, by the day or in full.
        last_month: of the contract, by the day or in full.
        rounding: of an amount of a line, to cents.
        prepaid: debited from a credit instead of invoiced; in advance.
    """

    charged: Literal["advance", "arrears"]
    first_month: Literal["pro-rata", "full-month"]
    last_month: Literal["pro-rata", "full-month"]
    rounding: money.Rounding
    prepaid: PrepaidSpec | None = None


class CalendarSpec(_Part):
    """Whose holidays count and which days of a week are working days.

    Attributes:
        country: whose holidays; those of the customer's region are added.
        week: which days of it are working days.
    """

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    week: Literal["mon-fri", "mon-sat"]


class WithdrawalSpec(_Part):
    """Within so many days after signing these holders may withdraw; then nothing but calls is charged.

    Attributes:
        days: calendar days.
        holders: who may.
    """

    days: WithdrawalDays
    holders: tuple[Literal["private", "company"], ...] = Field(min_length=1)


class OfferSpec(_Part):
    """Everything a catalogue sells besides minutes.

    Attributes:
        issuer: who offers it, for paper.
        holders: who may sign.
        prices: whether they contain VAT.
        vat_percent: that they contain, or that is added.
        calendar: of working days.
        terms: of the contract itself.
        more: how units of a product are added, unless the product says.
        less: how they are given up, unless the product says.
        ready_working_days: within how many a new system and new numbers are ready.
        signed_form: an order counts only with the signed copy of its form.
        holder_change: what another holder needs.
        order_button: words on the button that binds.
    """

    issuer: IssuerSpec | None = None
    holders: tuple[Literal["private", "company"], ...] = Field(default=("company",), min_length=1)
    prices: Literal["net", "gross"]
    vat_percent: Annotated[int, Field(ge=0, le=99)]
    calendar: CalendarSpec
    billing: BillingSpec
    terms: TermSpec
    more: ChangeSpec
    less: TermSpec
    choices: dict[Name, ChoiceSpec] = Field(default_factory=dict)
    products: dict[Name, ProductSpec] = Field(min_length=1)
    bundles: BundleTermsSpec | None = None
    features: dict[Name, FeatureSpec] = Field(default_factory=dict)
    withdrawal: WithdrawalSpec | None = None
    ready_working_days: NoticeWorkingDays | None = None
    signed_form: bool = False
    holder_change: Literal["ticket", "order"] = "order"
    order_button: Texts
