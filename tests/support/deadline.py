"""Points in time by which something must have happened; every wait in this package takes one."""

from __future__ import annotations

import os
import time
from typing import Callable, TypeVar

T = TypeVar("T")

# The tests' deadlines are what a machine with nothing else to do needs at worst. Waits for what must happen, and the
# limits of tests, take that many times as long before they give up; a wait that is over sooner costs nothing.
PATIENCE = float(os.environ.get("TIDEMARK_PATIENCE", "3"))


class DeadlineExceeded(AssertionError):
    """What was waited for did not happen in time. The text says what it was."""


class Deadline:
    """A point on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    def expired(self) -> bool:
        return time.monotonic() >= self._end


def wait_until(
    condition: Callable[[], T],
    what: str,
    seconds: float = 30.0,
    interval: float = 0.02,
    detail: Callable[[], str] | None = None,
    ignore: tuple[type[BaseException], ...] = (),
) -> T:
    """Calls `condition` until it returns something true and returns that.

    `seconds` are those of a quick machine: see PATIENCE. Exceptions named in `ignore` count as "not yet"; the last one is part of the error text, as is what
    `detail` has to say when the time is up.
    """
    deadline = Deadline(seconds * PATIENCE)
    last: object = None
    while True:
        try:
            last = condition()
            if last:
                return last  # type: ignore[return-value]
        except ignore as error:
            last = error
        if deadline.expired():
            text = f"after {deadline.seconds:g} s still waiting for {what}; last: {last!r}"
            if detail is not None:
                text += "\n" + detail()
            raise DeadlineExceeded(text)
        time.sleep(min(interval, max(deadline.remaining(), 0.001)))
