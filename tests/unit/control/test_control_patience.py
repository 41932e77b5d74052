"""Patience with what was refused: pauses that grow, never without end."""

from itertools import pairwise

from pbxcore.control.patience import FIRST_S, LONGEST_S, Patience


def test_what_was_refused_is_tried_ever_more_seldom_and_never_given_up() -> None:
    """Each pause is twice the last one, the longest comes again and again."""
    patience, now, tried = Patience(), 100.0, []
    while now < 100.0 + 5 * LONGEST_S:
        if patience.may("lamp", now):
            tried.append(now)
            patience.refused("lamp", now)
        now += 1
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert pauses[-1] == LONGEST_S == max(pauses)


def test_who_was_accepted_begins_anew_and_others_need_not_wait() -> None:
    """A pause belongs to one thing, and only as long as it is refused."""
    patience = Patience()
    for _ in range(3):
        patience.refused("one", 0.0)
    assert (patience.may("one", 7.0), patience.may("other", 0.0), len(patience)) == (False, True, 1)
    patience.accepted("one")
    patience.accepted("nobody")
    assert (patience.may("one", 0.0), len(patience)) == (True, 0)


def test_what_nobody_tries_again_is_forgotten() -> None:
    """What was refused and does not exist any more does not pile up."""
    patience = Patience()
    for number in range(5):
        patience.refused(number, 0.0)
    patience.refused("later", 2 * LONGEST_S)
    assert len(patience) == 1
