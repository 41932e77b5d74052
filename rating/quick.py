"""Frozen dataclasses that are made by the million.

The problem: the constructor of a frozen dataclass sets each field through `object.__setattr__`, which looks
the field up by name every time; a rated leg and its piece spent as long on that as on all of rating. The slot
itself can be set directly.

Owns that one constructor. Refuses classes without slots and fields that are made by a factory.
"""

from dataclasses import MISSING, fields
from typing import Any, TypeVar

Frozen = TypeVar("Frozen")


def quick(cls: type[Frozen]) -> type[Frozen]:
    """Give a frozen dataclass with slots a constructor that sets them directly; all else stays as it is.

    Put it above `@dataclass(frozen=True, slots=True, kw_only=True)`.

    Raises:
        TypeError: the class has no slots, or a field is made by a factory.
    """
    arguments, statements = ["self", "*"], []
    scope: dict[str, Any] = {}
    for one in fields(cls):  # type: ignore[arg-type]  # a dataclass, which no type of typing says
        if one.default_factory is not MISSING or not hasattr(getattr(cls, one.name, None), "__set__"):
            raise TypeError(f"{cls.__name__}.{one.name} is no plain slot")
        scope[f"_set_{one.name}"] = getattr(cls, one.name).__set__
        scope[f"_default_{one.name}"] = one.default
        arguments.append(one.name if one.default is MISSING else f"{one.name}=_default_{one.name}")
        statements.append(f"    _set_{one.name}(self, {one.name})")
    source = "\n".join([f"def __init__({', '.join(arguments)}):", *statements])
    exec(source, scope)  # noqa: S102 — built of names of our own fields, the way dataclasses builds its own
    scope["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = scope["__init__"]  # type: ignore[method-assign]  # replacing it is the purpose
    return cls
