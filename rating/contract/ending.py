"""When something that was given up ends: the rule of a catalogue, walked step by step.

Owns the way from a notice to a last day, and its words. Refuses to know which contract it is about.
"""

from dataclasses import dataclass, replace
from datetime import date

from rating.contract.calendar import DAY, Calendar, month_end, months_later, term_end, working_day_after
from rating.offer import NoticeSpec, TermSpec
from rating.periods import next_month

_ENDS = {"any-day": "on any day", "month-end": "at the end of a month", "term-end": "at the end of a term"}
MOST_NOTICE_DAYS = 800  # looked back for the last day of notice: two years; no notice is longer
MOST_TERMS = 1_200  # prolongations looked at: a hundred years of months


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way to a date.

    Attributes:
        rule: stable name of the rule that was followed.
        day: where it led.
        text: the same in words.
    """

    rule: str
    day: date
    text: str


@dataclass(frozen=True, slots=True)
class Right:
    """An earlier day on which a law lets the customer end it."""

    law: str
    day: date


@dataclass(frozen=True, slots=True)
class Ending:
    """The last day, how it was found, and what a law says beside."""

    last: date
    steps: tuple[Step, ...]
    right: Right | None = None


def ending(
    term: TermSpec, *, first: date, received: date, calendar: Calendar, processed: date | None = None
) -> Ending:
    """Find the last day of something.

    Args:
        term: its rule.
        first: its first day.
        received: the day of the notice.
        calendar: of working days.
        processed: the day on which the notice was processed, if that was recorded. What takes longer than
            the rule allows is not at the customer's expense.
    """
    calendar = replace(calendar, week=term.week or calendar.week)
    steps = [Step("received", received, f"notice received on {received}")]
    counted = received
    if term.processing_working_days is not None:
        counted = _processed(term.processing_working_days, received, processed, calendar, steps)
    earliest = counted
    if term.notice is not None:
        earliest, words = notice_end(term.notice, counted, calendar)
        steps.append(Step("notice", earliest, words))
    if term.minimum_months is not None:
        minimum = term_end(first, term.minimum_months)
        words = f"{_months(term.minimum_months)} from {first}, over on {minimum}"
        steps.append(Step("minimum", minimum, words))
        earliest = max(earliest, minimum)
    last = _permitted(term, first, earliest)
    steps.append(Step(term.ends, last, f"it can end {_ENDS[term.ends]}: the next one is {last}"))
    return Ending(last, tuple(steps), _right(term, first, received, last, calendar))


def term_over(term: TermSpec, *, first: date, day: date) -> date | None:
    """Last day of the term that runs on a day, if nobody has given notice; None without terms."""
    if term.ends != "term-end":
        return None
    return _permitted(term, first, day)


def term_steps(term: TermSpec, *, first: date, day: date, calendar: Calendar) -> tuple[Step, ...]:
    """Say until when the term runs that runs on a day, and until when notice must come for it to end then."""
    until = term_over(term, first=first, day=day)
    if until is None:
        return ()
    words = f"the term that began on {first} runs until {until}"
    if term.minimum_months is not None:
        minimum = term_end(first, term.minimum_months)
        words = f"{_months(term.minimum_months)} from {first}, over on {minimum}"
        if until > minimum:
            words += f"; prolonged by {_months(term.prolongation_months or 1)} each time: until {until}"
    steps = [Step("term", until, words)]
    for before in range(MOST_NOTICE_DAYS):
        received = until - before * DAY
        if received < first:
            break
        if ending(term, first=first, received=received, calendar=calendar).last <= until:
            following = _permitted(term, first, until + DAY)
            words = f"notice received by {received} ends it on {until}; without, it runs until {following}"
            steps.append(Step("notice-by", received, words))
            break
    return tuple(steps)


def notice_end(notice: NoticeSpec, counted: date, calendar: Calendar) -> tuple[date, str]:
    """Give the last day of a notice that counts from a day, and its words."""
    if notice.days is not None:
        last = counted + notice.days * DAY
        return last, f"{notice.days} days of notice, not counting {counted}, are over on {last}"
    if notice.months is not None:
        last = months_later(counted, notice.months)
        return last, f"{_months(notice.months)} of notice from {counted}, over on {last}"
    if notice.calendar_months is not None:
        begins = next_month(counted)
        last = term_end(begins, notice.calendar_months)
        whole = _months(notice.calendar_months)
        return last, f"{whole} of notice, whole, after {counted}: {begins} to {last}"
    working_days = notice.working_days or 0
    last = working_day_after(counted, working_days, calendar)
    return last, f"{working_days} working days ({calendar}), not counting {counted}, are over on {last}"


def _months(number: int) -> str:
    return f"{number} month" if number == 1 else f"{number} months"


def _processed(
    working_days: int, received: date, recorded: date | None, calendar: Calendar, steps: list[Step]
) -> date:
    due = working_day_after(received, working_days, calendar)
    if recorded is not None and received <= recorded <= due:
        steps.append(Step("processed", recorded, f"processed on {recorded}, as recorded"))
        return recorded
    words = f"processed within {working_days} working days ({calendar}): by {due}"
    steps.append(Step("processed", due, words))
    return due


def _permitted(term: TermSpec, first: date, earliest: date) -> date:
    if term.ends == "any-day":
        return earliest
    if term.ends == "month-end":
        return month_end(earliest)
    return next(
        last for last in (_term(term, first, number) for number in range(MOST_TERMS)) if last >= earliest
    )


def _term(term: TermSpec, first: date, number: int) -> date:
    return term_end(first, (term.minimum_months or 0) + number * (term.prolongation_months or 1))


def _right(term: TermSpec, first: date, received: date, last: date, calendar: Calendar) -> Right | None:
    """Tell the law's day where it is earlier: it holds once the first term has been prolonged."""
    if term.statute is None or term.minimum_months is None:
        return None
    day, _ = notice_end(term.statute.notice, received, calendar)
    if day <= term_end(first, term.minimum_months) or day >= last:
        return None
    return Right(term.statute.law, day)
