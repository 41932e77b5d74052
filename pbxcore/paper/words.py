"""The words of a page in the languages of the providers' customers.

Owns `words.yaml`, the tables beside it, and how a language writes days and amounts. Refuses a language that
has no words: half a page in English helps nobody.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

import yaml

from dialplan.hours import parse_yearly
from dialplan.spelling import LEAP_YEAR

LANGUAGES = ("de", "en", "it", "nl")
OTHERWISE = "en"  # for a tenant whose language is none of them


@cache
def words(language: str, *more: str) -> Mapping[str, str]:
    """Give the words of a language by key: those of every page, and those of further tables by name."""
    folder, said = files("pbxcore.paper"), dict[str, str]()
    for name in ("words.yaml", *more):
        table = yaml.safe_load(folder.joinpath(name).read_text("utf-8"))
        said |= {key: entry[language] for key, entry in table.items()}
    return said


def language_of(wanted: str) -> str:
    """Give the language of a page for somebody who speaks one."""
    return wanted if wanted in LANGUAGES else OTHERWISE


def counted(words: Mapping[str, str], key: str, count: int) -> str:
    """Say a number of things: `phone_one` or `phone_many`, with `{count}` filled in."""
    return words[f"{key}_one" if count == 1 else f"{key}_many"].format(count=count)


def written_day(words: Mapping[str, str], day: str) -> str:
    """Write a day as a tenant's document names it: a date, or month and day of each year."""
    each_year = parse_yearly(day)
    if each_year is None:
        return dated(words, date.fromisoformat(day))
    month, number = each_year
    return date(LEAP_YEAR, month, number).strftime(words["date_yearly"])


def dated(words: Mapping[str, str], day: date) -> str:
    """Write a date as the language does."""
    return day.strftime(words["date"])


def sentence(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]


def written_amount(words: Mapping[str, str], amount: str) -> str:
    """Write an amount, `-1234.50`, as the language does: `-1.234,50`."""
    sign, whole = ("\N{MINUS SIGN}", amount[1:]) if amount.startswith("-") else ("", amount)
    whole, _, decimals = whole.partition(".")
    grouped = f"{int(whole):,}".replace(",", words["thousands"])
    return f"{sign}{grouped}{words['decimal']}{decimals}"
