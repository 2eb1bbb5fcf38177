"""Ends a process whose parent is gone, however the parent went.

The parent holds one end of a pipe; the other end reports end-of-file as soon as it is dead.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable

from kubefit.api.names import Env

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Has Linux kill this process when its parent dies.

    TensorFlow waits for its peers without letting any thread of Python run, one that watches a pipe
    included. Elsewhere than on Linux, such a process lives until the waiting is over.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


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
