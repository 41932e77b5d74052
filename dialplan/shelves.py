"""A mapping that is never changed, and of which a changed copy costs what the change costs.

Problem: every decision needs one consistent view of all tenants, and publishing one of thousands must not
copy the others. Solution: keep the items on a fixed number of small shelves (dictionaries). A copy with
changes shares every shelf that no change touches.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")

_SHELVES = 256  # 20,000 numbers are 80 on a shelf


class Shelves(Generic[Value]):
    """An immutable mapping from text to values."""

    __slots__ = ("_shelves",)

    def __init__(self, shelves: tuple[Mapping[str, Value], ...] = ({},) * _SHELVES) -> None:
        self._shelves = shelves

    def get(self, key: str) -> Value | None:
        """Give the value of a key, or None."""
        return self._shelves[hash(key) % _SHELVES].get(key)

    def __contains__(self, key: str) -> bool:
        return key in self._shelves[hash(key) % _SHELVES]

    def __iter__(self) -> Iterator[str]:
        return (key for shelf in self._shelves for key in shelf)

    def __len__(self) -> int:
        return sum(map(len, self._shelves))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shelves) and self._shelves == other._shelves

    __hash__ = None  # type: ignore[assignment]  # holds dictionaries, like them it has no hash

    def values(self) -> Iterator[Value]:
        """Give all values."""
        return (value for shelf in self._shelves for value in shelf.values())

    def updated(self, items: Mapping[str, Value]) -> "Shelves[Value]":
        """Give a copy in which these keys have these values."""
        return self._changed(items, lambda shelf, key: shelf.__setitem__(key, items[key]))

    def without(self, keys: Iterable[str]) -> "Shelves[Value]":
        """Give a copy without these keys; keys that are not there are ignored."""
        return self._changed(keys, lambda shelf, key: shelf.pop(key, None))

    def _changed(
        self, keys: Iterable[str], change: Callable[[dict[str, Value], str], object]
    ) -> "Shelves[Value]":
        """Copy each shelf that holds one of the keys, once, and change the copy."""
        copies: dict[int, dict[str, Value]] = {}
        for key in keys:
            place = hash(key) % _SHELVES
            if place not in copies:
                copies[place] = dict(self._shelves[place])
            change(copies[place], key)
        return Shelves(tuple(copies.get(place, shelf) for place, shelf in enumerate(self._shelves)))
