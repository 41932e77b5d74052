"""From the ways a call can take to the numbered steps of a decision.

Owns the order of the steps. Problem: several ways lead to one place (busy and no answer to the same group),
and yet a jump may only go forward, so that a decision is bounded by its length. Solution: a call's ways form
a graph without circles; number its nodes so that each comes after all that lead to it (topological order).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dialplan.decision import END, MAX_STEPS, Admit, Joined, Next, Outside, Play, Ring, Step
from dialplan.quick import copier

NOWHERE = Next()

_ringing = copier(Ring, "then", "joined")
_then_ringing = copier(Ring, "then")
_then_outside = copier(Outside, "then")
_then_playing = copier(Play, "then")
_then_admitting = copier(Admit, "then")


@dataclass(slots=True, eq=False)
class Node:
    """A step whose jumps are not numbered yet; two nodes are the same only if they are one object."""

    step: Step
    busy: "Node | None" = None
    no_answer: "Node | None" = None
    unreachable: "Node | None" = None
    then: "Node | None" = None
    joined: "tuple[tuple[int, Node], ...]" = ()  # with the delay of each


def lay_out(root: Node) -> tuple[tuple[Step, ...], bool]:
    """Number the steps; the first is the root's.

    Returns:
        At most `MAX_STEPS` steps, and whether some had to be left out: jumps to these end the call.
    """
    if not _leads_on(root):
        return (root.step,), False  # as most calls outside: nothing to put in order
    order = _forward_order(root)
    kept = order[:MAX_STEPS]
    numbers: dict[Node | None, int] = {node: index for index, node in enumerate(kept, start=1)}
    return tuple([_numbered(node, numbers) for node in kept]), len(order) > MAX_STEPS


def _leads_on(node: Node) -> bool:
    """Tell whether anything may follow a step."""
    return bool(node.busy or node.no_answer or node.unreachable or node.then or node.joined)


def rings_first(root: Node) -> Node:
    """Give the step that a call comes to whatever happens: neither announcement nor count."""
    node = root
    while isinstance(node.step, Play | Admit) and node.then:
        node = node.then
    return node


def _forward_order(root: Node) -> list[Node]:
    """Order nodes so that every way leads forward: reverse of the order in which a deep walk leaves them."""
    left: dict[Node, None] = {}
    _walk(root, left)
    return list(reversed(left))


def _walk(node: Node, left: dict[Node, None]) -> None:
    """Leave each node after all that it leads to.

    Not a function within the other: one that calls itself is garbage that only the collector finds, and with
    it all nodes of the decision.
    """
    joined = [one for _, one in node.joined] if node.joined else ()
    for onward in (node.then, node.unreachable, node.no_answer, node.busy, *joined):
        if onward is not None and onward not in left:
            _walk(onward, left)
    left[node] = None


def _numbered(node: Node, numbers: Mapping[Node | None, int]) -> Step:
    """Write a step's jumps down; most members of a group have none, and stay as they are."""
    match node.step:
        case Ring() as ringing if node.joined:
            numbered = ((delay_s, numbers[one]) for delay_s, one in node.joined if one in numbers)
            joined = tuple(Joined(step=number, delay_s=delay_s) for delay_s, number in numbered)
            return _ringing(ringing, _next(node, numbers), joined)
        case Ring() | Outside() as ringing:
            then = _next(node, numbers)
            if then is NOWHERE:
                return ringing
            return _then_ringing(ringing, then) if isinstance(ringing, Ring) else _then_outside(ringing, then)
        case Play() as playing:
            return _then_playing(playing, numbers.get(node.then, END))
        case Admit() as admitting:
            return _then_admitting(admitting, numbers.get(node.then, END))
        case last:
            return last


def _next(node: Node, numbers: Mapping[Node | None, int]) -> Next:
    if node.busy is None and node.no_answer is None and node.unreachable is None:
        return NOWHERE
    return Next(
        busy=numbers.get(node.busy, END),
        no_answer=numbers.get(node.no_answer, END),
        unreachable=numbers.get(node.unreachable, END),
    )
