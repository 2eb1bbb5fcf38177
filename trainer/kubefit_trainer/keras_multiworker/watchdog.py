"""Ends the waiting in a collective to which the other workers can never come.

Broken: a collective that only some workers run (`train_on_batch` on the chief alone, `result()` of
a metric, a variable that one worker makes) is waited in for ever.
Cause: collectives of TensorFlow have no deadline and know nothing of a worker that never comes.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: a worker that has waited for some seconds in a call of all workers says so over the
key-value store and looks where the others are. If they can never meet, see `calls`, the collective
is aborted and the call raises a sentence. While nobody waits long this costs nothing.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.eager import context as tf_context

from kubefit_trainer.keras_multiworker import cluster, coordination
from kubefit_trainer.keras_multiworker.calls import Call, End, contradiction, packed, unpacked
from kubefit_trainer.keras_multiworker.errors import DifferentProgramError

QUIET_SECONDS = 5.0
"""How long a worker waits before it says so."""
_LOOK_SECONDS = 1.0
_LOOKS = 3
"""How often in a row a contradiction must be seen: what others have said may be old."""
_STATE = "state/{}"

_came = 0
_current: tuple[Call, float] | None = None
_verdict = ""
_decided = threading.Event()


@contextlib.contextmanager
def inside(what: str, *, detail: str = "", counted: bool = True) -> Iterator[None]:
    """Marks a call in which this worker waits for others; calls within it are part of it.

    Args:
        what: the call in words, the same on all workers.
        detail: what may differ between workers.
        counted: whether all workers take part in it, in the same order.

    Raises:
        DifferentProgramError: the others can never come to it.

    """
    global _came, _current
    # A thread beside the program, as one that saves, must not hide what the program waits in.
    beside = not counted and threading.current_thread() is not threading.main_thread()
    if coordination.alone() or beside or _current is not None:
        yield
        return
    check()
    call = Call(number=_came, what=what, detail=detail, counted=counted)
    _came += counted
    _current = (call, time.monotonic())
    try:
        yield
    except StopIteration:
        raise
    except BaseException as error:
        if _is_confused(error):
            _current = (call, time.monotonic() - QUIET_SECONDS)
            _decided.wait(QUIET_SECONDS + 2 * _LOOKS * _LOOK_SECONDS)
        # The others still wait in it: for them this worker has not come.
        _came = call.number
        if isinstance(error, tf.errors.OpError | DifferentProgramError):
            check()
        raise
    finally:
        _current = None


def _is_confused(error: BaseException) -> bool:
    """Whether TensorFlow has found by itself that two collectives are not the same one.

    It does not say where the other worker is, which is worth waiting for.
    """
    secondary = (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    )
    return (
        isinstance(error, tf.errors.OpError)
        and "ollective" in str(error)
        and not isinstance(error, secondary)
    )


def check() -> None:
    """Raises `DifferentProgramError` if what this worker waits in will never be."""
    if _verdict:
        raise DifferentProgramError(_verdict) from None


def end() -> None:
    """Tells the others that this worker's program has ended, and after how many calls."""
    coordination.publish(f"ended/{cluster.member().rank}", packed(End(number=_came)))


def has_ended(rank: int, wait_seconds: float = 0.0) -> bool:
    """Whether that worker's program has ended, or does so within some seconds."""
    key = f"ended/{rank}"
    word = coordination.read(key, wait_seconds) if wait_seconds else coordination.look(key)
    return word is not None


def start() -> None:
    """Starts to watch; once in a process."""
    if not coordination.alone():
        threading.Thread(target=_watch, name="watchdog", daemon=True).start()


def _watch() -> None:
    told: Call | None = None
    seen: list[str] = []
    key = _STATE.format(cluster.member().rank)
    with contextlib.suppress(tf.errors.OpError):
        # The service goes away with its worker; the collectives of this one will say so.
        while not _verdict:
            time.sleep(min(_LOOK_SECONDS, QUIET_SECONDS))
            waiting = _waiting()
            call = waiting and waiting[0]
            if told is not None and told != call:
                coordination.withdraw(key)
                told, seen = None, []
            if waiting is None:
                continue
            if told is None:
                coordination.publish(key, packed(waiting[0]))
                told = waiting[0]
            seen = [*seen[1 - _LOOKS :], _found(waiting[0])]
            if len(seen) == _LOOKS and len(set(seen)) == 1 and seen[0] and _waiting() == waiting:
                _abort(seen[0])


def _waiting() -> tuple[Call, float] | None:
    """The call that this worker waits in for long already, and since when."""
    current = _current
    if current is None or time.monotonic() < current[1] + QUIET_SECONDS:
        return None
    return current


def _found(mine: Call) -> str:
    member = cluster.member()
    for rank in range(member.workers):
        if rank == member.rank:
            continue
        found = contradiction(mine, member.rank, _state_of(rank), rank)
        if found:
            return found
    return ""


def _state_of(rank: int) -> Call | End | None:
    told = coordination.look(f"ended/{rank}") or coordination.look(_STATE.format(rank))
    return None if told is None else unpacked(told)


def _abort(verdict: str) -> None:
    global _verdict
    _verdict = verdict
    _decided.set()
    tf_context.context().abort_collective_ops(tf.errors.ABORTED, verdict)
