"""Progress as one line of JSON among the function's logs.

    {"Sidestep":{"Progress":{"Fraction":0.4,"Message":"40 of 100 files"}}}
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable

# The least time between two lines. Reports that come sooner are dropped, so that a loop may report
# every row.
INTERVAL_SECONDS = 0.25


def line(fraction: float | None, message: str | None) -> str:
    """Returns the line of a report, without its end."""
    progress: dict[str, float | str] = {}
    # NaN (nothing of nothing) is not a fraction, and JSON has no word for it.
    if fraction is not None and not math.isnan(fraction):
        progress["Fraction"] = min(max(float(fraction), 0.0), 1.0)
    if message is not None:
        progress["Message"] = message
    return json.dumps({"Sidestep": {"Progress": progress}}, separators=(",", ":"), ensure_ascii=False)


class Throttle:
    """Decides which reports are worth a line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None

    def admits(self, fraction: float | None) -> bool:
        """Returns True for the first report, the end, and every report that keeps its distance."""
        now = self._clock()
        due = self._last is None or now - self._last >= INTERVAL_SECONDS
        if due:
            self._last = now
        return due or (fraction is not None and fraction >= 1.0)


def report(fraction: float | None, message: str | None) -> None:
    """Prints the line of a report."""
    # In one write, so that lines of other threads do not cut it up.
    sys.stdout.write(line(fraction, message) + "\n")
    sys.stdout.flush()
