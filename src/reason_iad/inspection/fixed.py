"""Objects whose settings do not change: an assignment that would have no effect is refused, and says what to do."""

from __future__ import annotations


class Fixed:
    """Its attributes are those that its class names in `__slots__`; people cannot set any other.

    `INSTEAD` says what to do, with `{name}` for what somebody tried to set.
    """

    __slots__ = ()
    INSTEAD = "Make another one."

    def __setattr__(self, name: str, value: object) -> None:
        if name not in type(self).__slots__:
            instead = self.INSTEAD.format(name=name)
            raise AttributeError(f"'{name}' cannot be set: it would change nothing. {instead}")
        object.__setattr__(self, name, value)
