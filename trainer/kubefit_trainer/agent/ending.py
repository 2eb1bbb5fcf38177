"""What the end of the TensorFlow process means: a pure function to a `Failure`, or to success."""

import re
import signal
from dataclasses import dataclass

from kubefit.api.contract import ExitCode, Failure, signal_name

_LOST = re.compile(
    r"oordination service|oordinationService|tasks are unhealthy|CollectiveReduce|ollective ops is"
)
"""What TensorFlow says before it aborts a process whose peer, or whose chief, is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a trainer ended."""

    returncode: int
    """As in `subprocess`: a signal is negative."""
    told_to_stop: bool = False
    """The agent itself was told to stop, and passed it on, before anything had failed."""
    told_to_end: bool = False
    """The agent killed it because another worker's trainer had ended."""
    was_stopped: bool = False
    """A signal kept it from running when it was killed."""
    oom_kills: int = 0
    """Processes of this control group that the kernel killed for memory meanwhile."""
    memory_limit: int | None = None
    """Bytes that the control group may take."""
    memory_peak: int | None = None
    """Most bytes that it has taken."""
    failure: Failure | None = None
    """What the trainer wrote before it ended."""
    output: tuple[str, ...] = ()
    """Its last lines."""
    workers: int = 1


def failure_of(end: End) -> Failure | None:
    """Why training failed; None if it succeeded."""
    if end.returncode == 0:
        return None
    if end.was_stopped:
        return _failure(
            end,
            ExitCode.STALLED,
            "the training process was stopped by a signal (SIGSTOP) and did not go on",
        )
    if end.failure is not None and end.told_to_end:
        return end.failure
    if end.told_to_end:
        return _failure(end, ExitCode.PEER_LOST, "ended because another worker had")
    if end.told_to_stop:
        return _failure(end, ExitCode.PREEMPTED, "the worker was told to stop")
    if end.failure is not None:
        return end.failure
    if end.returncode < 0:
        return _killed(end)
    last = next((line.strip() for line in reversed(end.output) if line.strip()), "")
    said = f": {last}" if last else ""
    return _failure(
        end, ExitCode.USER_ERROR, f"the program ended with exit code {end.returncode}{said}"
    )


def _killed(end: End) -> Failure:
    number = -end.returncode
    if number == signal.SIGKILL and end.oom_kills > 0:
        return _failure(
            end,
            ExitCode.OUT_OF_MEMORY,
            "the training process was killed because the worker's memory was used up"
            f"{_memory(end)}; raise spec.resources.limits.memory or lower the batch size",
        )
    if number == signal.SIGABRT and end.workers > 1 and _LOST.search("\n".join(end.output)):
        return _failure(end, ExitCode.PEER_LOST, "another worker went away during training")
    return _failure(
        end, ExitCode.CRASHED, f"the training process was killed by {signal_name(number)}"
    )


def _memory(end: End) -> str:
    known = (("limit", end.memory_limit), ("peak", end.memory_peak))
    said = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in known if size)
    return f" ({said})" if said else ""


def _failure(end: End, code: ExitCode, message: str) -> Failure:
    return Failure(exit_code=code, message=message, details="\n".join(end.output))
