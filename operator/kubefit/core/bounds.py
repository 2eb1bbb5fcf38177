"""How much of what workers, the API server and users say has room in a status.

A program decides what its worker reports, and the API server takes no object that is too large.
"""

from itertools import islice

from kubefit.api.v1alpha1 import Condition, FailureStatus, TrainingJobStatus

MESSAGE = 1024
"""Characters of a sentence."""
DETAILS = 2000
"""Characters of the last lines of an output."""
NAME = 128
"""Characters of a reason, or of the name of a metric."""
METRICS = 64
WARNINGS = 8


def bounded(status: TrainingJobStatus) -> TrainingJobStatus:
    """The status, cut where it is too long; cutting it again changes nothing."""
    failure, progress = status.failure, status.progress
    if progress is not None:
        progress = progress.model_copy(update={"metrics": _few(progress.metrics)})
    return status.model_copy(
        update={
            "progress": progress,
            "evaluation": _few(status.evaluation),
            "warnings": [_cut(one) for one in status.warnings[:WARNINGS]],
            "failure": None if failure is None else _failure(failure),
            "failures": [_failure(one) for one in status.failures],
            "conditions": [_condition(one) for one in status.conditions],
        }
    )


def _failure(failure: FailureStatus) -> FailureStatus:
    return failure.model_copy(
        update={
            "reason": failure.reason[:NAME],
            "message": _cut(failure.message),
            "details": failure.details[-DETAILS:],
        }
    )


def _condition(condition: Condition) -> Condition:
    update = {"reason": condition.reason[:NAME], "message": _cut(condition.message)}
    return condition.model_copy(update=update)


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE else text[: MESSAGE - 1] + "…"


def _few(metrics: dict[str, float]) -> dict[str, float]:
    """The first of them, without those whose names nobody could read."""
    return dict(islice(((k, v) for k, v in metrics.items() if len(k) <= NAME), METRICS))
