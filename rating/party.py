"""Who stands on paper: a provider or a customer, with an address and ways to reach them.

Owns the parts `issuer` of an offer and `customer` of a contract. Refuses what they agree on.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["de", "en", "it", "nl"]
Written = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=120)]
"""One line of print."""


class PartySpec(BaseModel):
    """Somebody who signs; what is left out is left blank on paper, to be filled in by hand.

    Attributes:
        name: as on a letter.
        address: as on a letter, below the name.
        email: where mail reaches them.
        phone: where calls do.
        fax: where faxes do.
        tax_id: VAT number, or what stands for it in the country.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Written
    address: Annotated[tuple[Written, ...], Field(max_length=6)] = ()
    email: Written | None = None
    phone: Written | None = None
    fax: Written | None = None
    tax_id: Written | None = None


class IssuerSpec(PartySpec):
    """The provider: who offers, and how it speaks.

    Attributes:
        language: that is spoken unless a customer has another.
    """

    language: Language


class CustomerSpec(PartySpec):
    """Who signs; without a language of theirs the provider's is spoken.

    Attributes:
        language: of what is written to them.
    """

    language: Language | None = None
