"""Frozen dataclasses that are made many times: by the million, or twenty for each decision.

The problem: the constructor of a frozen dataclass sets each field through `object.__setattr__`, which looks
the field up by name every time; a rated leg and its piece spent as long on that as on all of rating, and
`dataclasses.replace` takes twice as long again. The slot itself can be set directly.

Owns that constructor and that copy; both cores use it. Refuses classes without slots and fields that are
made by a factory.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar

Frozen = TypeVar("Frozen")


def quick(cls: type[Frozen]) -> type[Frozen]:
    """Give a frozen dataclass with slots a constructor that sets them directly; all else stays as it is.

    Put it above `@dataclass(frozen=True, slots=True)`.

    Raises:
        TypeError: the class has no slots, or a field is made by a factory.
    """
    scope, slots = _setters(cls)
    given = ["self"]
    named: list[str] = []
    for one in slots:
        if one.default_factory is not MISSING:
            raise TypeError(f"{cls.__name__}.{one.name} is made by a factory")
        scope[f"_default_{one.name}"] = one.default
        argument = one.name if one.default is MISSING else f"{one.name}=_default_{one.name}"
        (named if one.kw_only else given).append(argument)
    arguments = ", ".join([*given, "*", *named] if named else given)
    made = _function("__init__", arguments, [f"_set_{one.name}(self, {one.name})" for one in slots], scope)
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = made  # type: ignore[method-assign]  # replacing it is the purpose
    return cls


def copier(cls: type[Frozen], *changed: str) -> Callable[..., Frozen]:
    """Give a function that copies an instance, with the values of some fields after it, in this order.

    It does what `dataclasses.replace` does for a class without `__post_init__`, in a fifth of the time.

    Raises:
        TypeError: the class has no slots, or no such field.
    """
    scope, slots = _setters(cls)
    names = [one.name for one in slots]
    if missing := set(changed).difference(names):
        raise TypeError(f"{cls.__name__} has no {', '.join(sorted(missing))}")
    scope |= {"_new": object.__new__, "_cls": cls}
    values = {name: name if name in changed else f"_one.{name}" for name in names}
    filled = [f"_set_{name}(_copy, {value})" for name, value in values.items()]
    statements = ["_copy = _new(_cls)", *filled, "return _copy"]
    copy: Callable[..., Frozen] = _function("copy", ", ".join(["_one", *changed]), statements, scope)
    return copy


def _setters(cls: type) -> tuple[dict[str, Any], tuple[Field[Any], ...]]:
    """Give what sets the slot of each field, by `_set_` and the field's name, and the fields."""
    scope = {}
    for one in fields(cls):
        setter = getattr(getattr(cls, one.name, None), "__set__", None)
        if setter is None:
            raise TypeError(f"{cls.__name__}.{one.name} is no plain slot")
        scope[f"_set_{one.name}"] = setter
    return scope, fields(cls)


def _function(name: str, arguments: str, statements: list[str], scope: dict[str, Any]) -> Any:  # noqa: ANN401 — any function
    """Write a function as source and read it, the way dataclasses make their own."""
    source = "\n    ".join([f"def {name}({arguments}):", *statements])
    exec(source, scope)  # noqa: S102 — built of names of our own fields
    return scope[name]
