"""The first cause of a failure: which worker failed, and why, in one sentence."""

from kubefit.api.contract import (
    EXIT_MEANINGS,
    ExitCode,
    is_secondary,
    meaning_of,
    signal_name,
)
from kubefit.api.names import CONTAINER
from kubefit.api.v1alpha1 import FailureStatus
from kubefit.core import disruption, workers
from kubefit.core.observed import Object

_SIGNAL_BASE = 128
_MOST_LINES, _MOST_CHARACTERS = 20, 1500


def first_cause(pods: tuple[Object, ...]) -> FailureStatus | None:
    """The first failure of the last attempt; one that only followed from another counts last.

    Failures from before the newest failed pod was made belong to earlier attempts.
    """
    failed = [pod for pod in pods if workers.phase(pod) == "Failed" or _leaves(pod)]
    if not failed:
        return None
    newest = max(workers.created_at(pod) for pod in failed)
    last = [pod for pod in failed if workers.ended_at(pod) >= newest]
    primary = [pod for pod in last if not workers.follows(pod)]
    if not primary:
        # The replacement of a failed pod may itself end with the old attempt.
        earlier = [pod for pod in failed if not workers.follows(pod)]
        primary = sorted(earlier, key=workers.ended_at)[-1:]
    # Clocks of nodes may be behind: a pod can end before it was made.
    return describe(min(primary or last or failed, key=workers.ended_at))


def _leaves(pod: Object) -> bool:
    """Whether it is being taken away: it will fail, and then be gone before long."""
    return workers.phase(pod) == "Terminating" and disruption.told(pod) is not None


def describe(pod: Object) -> FailureStatus:
    """Why a failed pod failed; a wrong field is wrong for every rank, so no rank is named."""
    reason, message, code = _reason(pod)
    words = workers.outcome(pod)
    return FailureStatus(
        reason=reason,
        message=message if message.startswith("spec.") else f"{workers.called(pod)}: {message}",
        pod=pod["metadata"]["name"],
        rank=workers.rank(pod),
        exit_code=code,
        time=workers.moment(workers.ended_at(pod)),
        details=last_lines(words.details if words else ""),
    )


def last_lines(text: str) -> str:
    """As much of the end of an output as a status has room for."""
    return "\n".join(text.splitlines()[-_MOST_LINES:])[-_MOST_CHARACTERS:]


def _reason(pod: Object) -> tuple[str, str, int | None]:
    words, ended, taken = workers.outcome(pod), workers.termination(pod), disruption.told(pod)
    if words is not None and not (taken and is_secondary(words.exit_code)):
        return words.reason, words.message, words.exit_code
    if taken:
        return *taken, int(ended.get("exitCode", 0)) if ended else None
    if ended is None:
        status = pod["status"]
        reason = str(status.get("reason", "PodFailed"))
        return reason, str(status.get("message", "the pod failed before its container ran")), None
    code = int(ended.get("exitCode", 0))
    if ended.get("reason") == "OOMKilled":
        reason = EXIT_MEANINGS[ExitCode.OUT_OF_MEMORY].reason
        return reason, _out_of_memory(pod), code
    if code == ExitCode.SUCCESS:
        return "PodFailed", "the trainer ended well, but another container of its pod failed", code
    meaning = meaning_of(code)
    if meaning is not None:
        return meaning.reason, meaning.text, code
    if code > _SIGNAL_BASE:
        name = signal_name(code - _SIGNAL_BASE)
        return "Killed", f"the container was killed by {name}", code
    return "Error", f"the container ended with exit code {code}: {ended.get('message', '')}", code


def _out_of_memory(pod: Object) -> str:
    """With the limit of the worker, which is that of the container that fetches for it too."""
    for container in pod["spec"]["containers"]:
        limit = container.get("resources", {}).get("limits", {}).get("memory")
        if container["name"] == CONTAINER and limit:
            return f"killed at its memory limit of {limit}: raise spec.resources.limits.memory"
    return "killed because the node ran out of memory: set spec.resources.requests.memory"
