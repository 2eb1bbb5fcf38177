"""The first failure of any worker, known to all: whose traceback it is, not who noticed it last.

A worker that fails by itself publishes its rank and traceback. A watcher on every other worker
receives it and says so, for which the chief, whose process carries the message, waits a moment
before it ends. A worker whose collective then breaks reports that failure in place of its own.
"""

import threading
import traceback

import tensorflow as tf

from kubefit_trainer.keras_multiworker import cluster, coordination
from kubefit_trainer.keras_multiworker.errors import PeerFailedError, WorkerLostError

_KEY = "failure"
_NONE = "none"
_WATCH_SECONDS = 30 * 86400.0
_LINGER_SECONDS = 5.0
_LONGEST = 8000
_SECONDARY = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)

_known: list[str] = []
_heard = threading.Event()


def watch() -> None:
    """Starts to listen for failures of other workers."""
    if not coordination.alone():
        threading.Thread(target=_listen, name="failure-watcher", daemon=True).start()


def _listen() -> None:
    try:
        word = coordination.read(_KEY, _WATCH_SECONDS)
        if word not in (None, _NONE):
            _known.append(str(word))
            _heard.set()
            coordination.publish(f"{_KEY}/heard/{cluster.member().rank}", "yes")
    except tf.errors.OpError:
        # The service went away with its worker; the collectives of this one will say so.
        return


def known() -> str:
    """The failure of another worker that this one has heard of, or an empty text."""
    return _known[0] if _known else ""


def explain(error: BaseException) -> BaseException:
    """What to report in place of `error`: itself, or the failure of the worker that came first.

    Call it once in the worker's last exception handler, before the process ends.
    """
    if coordination.alone():
        return error
    if isinstance(error, PeerFailedError):
        return error
    secondary = _secondary(error)
    # A barrier calls the death of a worker an internal error.
    if secondary or isinstance(error, tf.errors.InternalError):
        _heard.wait(_LINGER_SECONDS)
        if known():
            return PeerFailedError(known())
    if secondary:
        return error
    text = "".join(traceback.format_exception(error))
    try:
        word = f"worker {cluster.member().rank} failed: {text[-_LONGEST:]}"
        first = coordination.publish(_KEY, word)
        if first and cluster.member().chief:
            for rank in range(1, cluster.member().workers):
                coordination.read(f"{_KEY}/heard/{rank}", _LINGER_SECONDS)
    except tf.errors.OpError:
        # Nobody is left to tell.
        return error
    return error


def _secondary(error: BaseException) -> bool:
    """Whether an error only says that another worker is gone."""
    # An error of Python inside of a TensorFlow function comes out as this one, with its text.
    inside = isinstance(error, tf.errors.UnknownError) and WorkerLostError.__name__ in str(error)
    return inside or isinstance(error, (*_SECONDARY, WorkerLostError))


def none() -> None:
    """Ends the watch of all workers after a success; the chief calls it."""
    coordination.publish(_KEY, _NONE)
