"""The attempt's lease, and the start that only one run of an attempt wins.

While the handler runs, a thread renews the lease: each renewal is a small object below the attempt's
prefix, which the sweep reads before it takes an attempt for lost.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import uuid
from types import TracebackType

from ._artifact import LEASE, STARTED_NAME
from ._error import StepError
from ._store import Store
from ._uri import S3Uri

# The Rust crate `sidestep-core` has the same names and times; a test there compares them.
FIRST_RENEWAL_S = 20.0
RENEWAL_S = 60.0
LEASE_MS = 180_000


class Renewal:
    """Renews the lease of an attempt while it is open. Short work renews nothing."""

    def __init__(self, store: Store, prefix: S3Uri, first_s: float = FIRST_RENEWAL_S, every_s: float = RENEWAL_S) -> None:
        self._store, self._prefix = store, prefix
        self._first_s, self._every_s = first_s, every_s
        self._over = threading.Event()
        # A daemon thread, so that it ends with a handler that Lambda ends.
        self._thread = threading.Thread(target=self._renew, name="sidestep-lease", daemon=True)

    def __enter__(self) -> Renewal:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()

    def _renew(self) -> None:
        pause = self._first_s
        while not self._over.wait(pause):
            pause = self._every_s
            until_ms = time.time_ns() // 1_000_000 + LEASE_MS
            try:
                self._store.create(self._prefix.join(f"{LEASE}{until_ms:015}"), b"")
            except StepError as error:
                # The lease outlasts two more renewals, and the work goes on in any case.
                print(f"the lease was not renewed: {error}", file=sys.stderr, flush=True)


def begins(store: Store, prefix: S3Uri) -> bool:
    """Returns True if this run of the attempt may begin.

    The first run that asks may begin, even if the answer to its own request was lost.
    """
    uri = prefix.join(STARTED_NAME)
    started = json.dumps({"Run": uuid.uuid4().hex, "AtMs": time.time_ns() // 1_000_000}).encode()
    found: bytes = started if store.create(uri, started) else store.open(uri).read()
    return found == started
