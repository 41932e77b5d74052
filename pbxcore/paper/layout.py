"""Where the boxes of a diagram stand: a tree from left to right, in points.

Owns sizes and places. Refuses to know what is in a box: it is a title and lines that are already broken.

Leaves stand one below the other in reading order; a box with followers stands beside their middle. Heights
differ, so a tree takes the height of its first box or of all its followers, whichever is more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

BOX_PT = 128.0  # width; five of them and the arrows between are a landscape A4 page
ARROW_PT = 27.0
PADDING_PT = 5.0
TITLE_PT, LINE_PT, WAY_PT = 10.5, 9.0, 9.5  # heights of a line of each type size
GAP_PT = 9.0
TITLE_CHARS, LINE_CHARS, WAY_CHARS = 24, 31, 33  # what fits the width, on average


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is written in a box: already in the reader's language, not yet broken into lines.

    Attributes:
        kind: says its colour.
        way: stands above the box: under which condition one gets here.
        faint: it only refers to another diagram.
    """

    kind: str
    title: str
    lines: tuple[str, ...] = ()
    way: str = ""
    faint: bool = False
    then: tuple["Card", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A box on the page: its upper left corner and its size without the line above it, all in points."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: tuple[str, ...]
    lines: tuple[str, ...]
    way: str
    faint: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A line from the right side of a box to the left side of the next, in points."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All boxes and arrows of a diagram, and the size of the whole in points."""

    width: float
    height: float
    boxes: tuple[Placed, ...]
    arrows: tuple[Arrow, ...]


def draw(root: Card) -> Drawing:
    """Place a tree of cards, its upper left corner at 0, 0."""
    boxes: list[Placed] = []
    arrows: list[Arrow] = []
    _place(root, 0.0, 0.0, boxes, arrows)
    width = max(box.x + box.width for box in boxes)
    height = max(box.y + box.height for box in boxes)
    return Drawing(width=width, height=height, boxes=tuple(boxes), arrows=tuple(arrows))


def _place(card: Card, x: float, top: float, boxes: list[Placed], arrows: list[Arrow]) -> Placed:
    """Place a card and what follows it in the strip that begins at `top`; give the card's box."""
    below = [_height(child) for child in card.then]
    children = sum(below) + GAP_PT * max(0, len(below) - 1)
    own = _own_height(card)
    y = top + max(0.0, children - own) / 2
    placed = _box(card, x, y)
    boxes.append(placed)
    strip = top + max(0.0, own - children) / 2
    for child, height in zip(card.then, below, strict=True):
        box = _place(child, x + BOX_PT + ARROW_PT, strip, boxes, arrows)
        middle, there = placed.y + placed.height / 2, box.y + box.height / 2
        arrows.append(Arrow(x1=x + BOX_PT, y1=middle, x2=box.x, y2=there))
        strip += height + GAP_PT
    return placed


def _height(card: Card) -> float:
    """Give the height of the strip that a card and all that follows it take."""
    following = [_height(child) for child in card.then]
    return max(_own_height(card), sum(following) + GAP_PT * max(0, len(following) - 1))


def _own_height(card: Card) -> float:
    return (WAY_PT if card.way else 0) + _box(card, 0, 0).height


def _box(card: Card, x: float, y: float) -> Placed:
    title = broken((card.title,), TITLE_CHARS)
    lines = broken(card.lines, LINE_CHARS)
    height = 2 * PADDING_PT + TITLE_PT * len(title) + LINE_PT * len(lines)
    above = WAY_PT if card.way else 0.0
    return Placed(
        x=x, y=y + above, width=BOX_PT, height=height, kind=card.kind, title=title, lines=lines,
        way=_cut(card.way, WAY_CHARS), faint=card.faint,
    )  # fmt: skip


def broken(texts: Sequence[str], width: int) -> tuple[str, ...]:
    """Break texts into lines of at most `width` characters, long words too."""
    return tuple(line for text in texts for line in wrap(text, width) or [""])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
