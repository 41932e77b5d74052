"""Ways through a directed graph: what can be reached, and what goes round.

Owns two questions that several checks ask. Knows nothing of calls.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def closure(entries: Iterable[Node], onward: Callable[[Node], Iterable[Node]]) -> set[Node]:
    """Give all nodes that can be reached from the entries, these included."""
    waiting, reached = list(entries), set[Node]()
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting.extend(onward(node))
    return reached


def cycles(nodes: Iterable[Node], onward: Callable[[Node], Iterable[Node]]) -> Iterator[tuple[Node, ...]]:
    """Give a circle for each way back that a walk over the graph meets: `(a, b, a)`.

    A graph without circles gives none; a graph with circles gives at least one of each knot of them. Each
    node is left once, so the walk is bounded by the number of edges; it needs no recursion.
    """
    done, given = set[Node](), set[tuple[Node, ...]]()
    for start in nodes:
        trail: list[Node] = []
        onways: list[Iterator[Node]] = [iter((start,))]
        while onways:
            node = next(onways[-1], None)
            if node is None:
                onways.pop()
                if trail:
                    done.add(trail.pop())
            elif node in trail:
                circle = (*trail[trail.index(node) :], node)
                if circle not in given:
                    given.add(circle)
                    yield circle
            elif node not in done:
                trail.append(node)
                onways.append(iter(onward(node)))
