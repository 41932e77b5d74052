"""From a contract's document to its history.

Owns this way and the day of the last fact. Refuses files and databases: they bring the document.
"""

from datetime import date

from rating.contract.document import ContractSpec, facts_of
from rating.contract.edition import Shelf
from rating.contract.history import Customer, History, history


def tell(spec: ContractSpec, offers: Shelf, until: date) -> History:
    """Work out a contract's history up to the end of a day."""
    customer = Customer(
        catalogue=spec.catalogue, holder=spec.holder, region=spec.region, customer=spec.customer
    )
    return history(facts_of(spec, offers), offers, customer, until)


def last_fact(spec: ContractSpec, offers: Shelf) -> date:
    """Give the day of the last fact; without any, the first on which the catalogue sells something."""
    return max((event.on for event in spec.events), default=offers[spec.catalogue][0].version)
