"""Ends a process whose parent is gone, however the parent went.

The parent holds one end of a pipe; the other end reports end-of-file as soon as it is dead.
"""

import os
import threading
from collections.abc import Callable

from kubefit.api.names import Env


def watch(cut: Callable[[], None]) -> None:
    """Calls `cut` from a thread when the parent is gone; does nothing without a lifeline."""
    number = os.environ.pop(Env.LIFELINE, "")
    if not number:
        return

    def wait() -> None:
        while os.read(int(number), 1):
            pass
        cut()

    os.set_inheritable(int(number), False)
    threading.Thread(target=wait, name="lifeline", daemon=True).start()
