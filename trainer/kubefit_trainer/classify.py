"""What an exception of the training program means: its exit code and one sentence for people.

The only place that knows TensorFlow's errors of a lost peer. Pure functions.
"""

import errno
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType

import tensorflow as tf

from kubefit.api.contract import ExitCode, Failure
from kubefit_trainer.failure import ConfigurationError

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)
_OF_PEERS = re.compile(
    r"ollective|oordination|/job:worker|heartbeat|arrier|onnection (reset|refused)|ocket closed"
    r"|failed to connect|GRPC|RPC|unhealthy|peer",
)
_REPORTED = re.compile(
    r"Error reported from /job:worker(?:/replica:0)?/task:(\d+): (.+?)(?: \[|$)", re.M
)
"""What a worker told the others before it ended, or what TensorFlow found out about it."""
_SILENT = "tasks are unhealthy"
_TASK = re.compile(r"/job:worker/replica:0/task:(\d+)")
_GONE = re.compile(r"has lost (?:its connection to|contact with) worker (\d+)")
_OF_PYTHON = "Traceback (most recent call last)"
"""In the text of an error that Python code raised inside of a TensorFlow function."""
_TRACED = re.compile(r"in user code:\n\n(?: .*\n)+\n +(.+)")
"""Text of an error while a function was traced: lines of code, then the error itself."""
_DIFFERENT = re.compile(r"DifferentProgramError: (.+)")
_OUT_OF_STEP = re.compile(r"Collective instance \d+ expected type")
_DIFFERENT_PLACES = (
    "the workers were at different places of the program: every worker must build, fit, evaluate"
    " and predict the same models in the same order"
)
_PORT = "Could not start gRPC server"
_FULL = "No space left on device"
_FREE_SPACE = (
    "; free space, and apply the job again under its name: it goes on from its last checkpoint"
)
_LONGEST_SENTENCE = 400
_TAIL_LINES = 40
_NOT_SAID = re.compile(r"\s*(Graph execution error:|Detected at node .*|$)")


def failure_of(
    error: BaseException,
    *,
    rank: int,
    workers: int,
    program: Path | None,
    label: str,
    explained: Mapping[type[BaseException], ExitCode] = MappingProxyType({}),
) -> Failure | None:
    """Meaning of what ended the program, None if it was a success.

    Args:
        error: What was raised.
        rank: Rank of this worker.
        workers: A worker that is alone has no peers to lose.
        program: File of the user's program, if there is one.
        label: How people call that file.
        explained: Errors of the runtime whose message is a whole sentence, subclasses first.

    """
    if isinstance(error, SystemExit):
        return _of_exit(error)
    code, message = _meaning(error, rank=rank, workers=workers, explained=explained)
    if message is None:
        message = f"{_sentence(error)}{_place(error, program, label)}"
    return Failure(exit_code=code, message=message, details=_tail(error, program))


def _of_exit(error: SystemExit) -> Failure | None:
    if error.code is None or error.code == 0:
        return None
    if isinstance(error.code, int):
        message = f"the program called sys.exit({error.code})"
    else:
        message = _shortened(str(error.code))
    return Failure(exit_code=ExitCode.USER_ERROR, message=message)


def _meaning(
    error: BaseException,
    *,
    rank: int,
    workers: int,
    explained: Mapping[type[BaseException], ExitCode],
) -> tuple[ExitCode, str | None]:
    for link in _chain(error):
        if isinstance(link, ConfigurationError):
            return ExitCode.CONFIGURATION_ERROR, _shortened(str(link))
        if _known(link, explained) is ExitCode.PEER_LOST:
            return ExitCode.PEER_LOST, _shortened(str(link))
        if workers > 1 and _OUT_OF_STEP.search(str(link)) and isinstance(link, _LOST):
            return ExitCode.USER_ERROR, _DIFFERENT_PLACES
        different = isinstance(link, tf.errors.UnknownError) and _DIFFERENT.search(str(link))
        if different:
            return ExitCode.USER_ERROR, _shortened(different[1])
        if workers > 1 and _lost_a_peer(link):
            return ExitCode.PEER_LOST, _lost(str(link), rank=rank)
        if _is_full(link):
            return ExitCode.CONFIGURATION_ERROR, f"{_sentence(link)}{_FREE_SPACE}"
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.PREEMPTED, "the program was interrupted"
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return ExitCode.OUT_OF_MEMORY, None
    if _PORT in str(error):
        return ExitCode.CRASHED, "TensorFlow's port on this worker is taken by another process"
    code = _known(error, explained)
    return (ExitCode.USER_ERROR, None) if code is None else (code, _shortened(str(error)))


def _known(
    error: BaseException, explained: Mapping[type[BaseException], ExitCode]
) -> ExitCode | None:
    return next((code for kind, code in explained.items() if isinstance(error, kind)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those it was raised from or while handling."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        # What an error was raised "from None" in place of is no part of it.
        hidden = link.__suppress_context__
        link = link.__cause__ or (None if hidden else link.__context__)


def _is_full(error: BaseException) -> bool:
    """TensorFlow has one error for memory and for disks that are used up."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, tf.errors.ResourceExhaustedError) and _FULL in str(error)


def _lost_a_peer(error: BaseException) -> bool:
    text = str(error)
    if not isinstance(error, _LOST) or _PORT in text:
        return False
    if isinstance(error, tf.errors.UnknownError) and _OF_PYTHON in text:
        return "WorkerLostError: " in text
    return "WorkerLostError: " in text or bool(_OF_PEERS.search(text))


def _lost(text: str, *, rank: int) -> str:
    told = _REPORTED.search(text)
    if told and _SILENT not in told[2]:
        return _shortened(f"worker {told[1]} failed: {told[2]}")
    others = sorted({int(task) for task in _TASK.findall(text) + _GONE.findall(text)} - {rank})
    if len(others) == 1:
        return f"worker {others[0]} went away during training"
    return "another worker went away during training"


def _sentence(error: BaseException) -> str:
    """`ValueError: what it says`, the first line that says something."""
    traced = _TRACED.match(str(error))
    if traced:
        return _shortened(traced[1])
    lines = [line.strip() for line in str(error).splitlines() if not _NOT_SAID.fullmatch(line)]
    kind = type(error).__name__
    return _shortened(f"{kind}: {lines[0]}" if lines else kind)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SENTENCE else f"{text[:_LONGEST_SENTENCE]}…"


def _place(error: BaseException, program: Path | None, label: str) -> str:
    """` (train.py:12)`: the innermost line of the program, else of its neighbours, else of all."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    if program is None:
        return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
    for frame in reversed(frames):
        if frame.filename == str(program):
            return f" ({label}:{frame.lineno})"
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"


def _tail(error: BaseException, program: Path | None) -> str:
    lines = "".join(
        traceback.format_exception(type(error), error, of_program(error.__traceback__, program))
    ).splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def of_program(frames: TracebackType | None, program: Path | None) -> TracebackType | None:
    """The traceback from the program's first line on, without those who started it."""
    link = frames
    while link is not None and program is not None:
        if link.tb_frame.f_code.co_filename == str(program):
            return link
        link = link.tb_next
    return frames
