"""Progress as one line of JSON among the function's logs.

    {"Sidestep":{"Progress":{"Fraction":0.4,"Message":"40 of 100 files"}}}
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable

# Lines that come sooner than this after the last one are dropped: a loop may report every row.
INTERVAL_SECONDS = 0.25


def line(fraction: float | None, message: str | None) -> str:
    progress: dict[str, float | str] = {}
    # NaN (0 of 0) is not a fraction, and JSON cannot write it.
    if fraction is not None and not math.isnan(fraction):
        progress["Fraction"] = min(max(float(fraction), 0.0), 1.0)
    if message is not None:
        progress["Message"] = message
    return json.dumps({"Sidestep": {"Progress": progress}}, separators=(",", ":"), ensure_ascii=False)


class Throttle:
    """Passes on the first report, the end, and every report that comes late enough."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None

    def admits(self, fraction: float | None) -> bool:
        now = self._clock()
        due = self._last is None or now - self._last >= INTERVAL_SECONDS
        if due:
            self._last = now
        return due or (fraction is not None and fraction >= 1.0)


def report(fraction: float | None, message: str | None) -> None:
    # One write, so that lines of other threads do not split it.
    sys.stdout.write(line(fraction, message) + "\n")
    sys.stdout.flush()
