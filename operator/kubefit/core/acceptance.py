"""Whether a TrainingJob can be run at all: what its schema cannot say."""

import ast
import dataclasses
import functools
from dataclasses import dataclass

from pydantic import ValidationError

from kubefit.api.errors import explain, read_job, read_known
from kubefit.api.names import ConditionType
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import claims
from kubefit.core.observed import Object, Observed

_UNKNOWN_FIELD = {"extra_forbidden", "none_required"}
"""The second is what pydantic adds for each field around it that may be absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a job is not run."""

    reason: str
    message: str
    permanent: bool
    """Nothing but another specification helps."""
    job: TrainingJob | None = None
    """The parsed job, where the specification could be read."""
    hands_off: bool = False
    """What exists of the job is left as it is."""


def accept(observed: Observed) -> TrainingJob | Rejection:
    """The parsed job, or why it is not run (yet)."""
    document = {key: value for key, value in observed.resource.items() if key != "status"}
    try:
        job = read_job(document)
    except ValidationError as error:
        return _newer(document, error, observed) or _unreadable(error, observed)
    found = (
        _bad_script(job)
        or _no_gang(job, observed)
        or _missing_claim(observed)
        or _name_in_use(job, observed)
        or _refused(observed)
    )
    return dataclasses.replace(found, job=job) if found else job


def _newer(document: Object, error: ValidationError, observed: Observed) -> Rejection | None:
    """The API server stores only fields that it knows: it has a newer definition of them."""
    if not {fault["type"] for fault in error.errors(include_url=False)} <= _UNKNOWN_FIELD:
        return None
    message = (
        f"{'; '.join(explain(error))} to this operator, which is older than the"
        " CustomResourceDefinition: upgrade the operator"
    )
    try:
        job = read_known(document if observed.job is None else _not_suspended(document))
    except ValidationError:
        job = None
    return Rejection(
        reason="OperatorTooOld", message=message, permanent=False, job=job, hands_off=True
    )


def _not_suspended(document: Object) -> Object:
    """As what is left as it is runs, whatever is asked of it."""
    policy = {**document["spec"].get("runPolicy", {}), "suspend": False}
    return {**document, "spec": {**document["spec"], "runPolicy": policy}}


def _unreadable(error: ValidationError, observed: Observed) -> Rejection:
    """A newer definition may allow more values too; a job that was run once does not end for it."""
    message = "; ".join(explain(error))
    if observed.job is None and not _was_run(observed):
        return Rejection(reason="InvalidSpec", message=message, permanent=True)
    message = (
        f"{message}; the job is left as it is: undo the change, or upgrade the operator where it"
        " is older than the CustomResourceDefinition"
    )
    return Rejection(reason="InvalidSpec", message=message, permanent=False, hands_off=True)


def _was_run(observed: Observed) -> bool:
    """Only of a job that was accepted once it is said how it progresses."""
    said = (observed.resource.get("status") or {}).get("conditions", ())
    return any(condition["type"] == ConditionType.PROGRESSING for condition in said)


def _bad_script(job: TrainingJob) -> Rejection | None:
    """Another image may have a newer Python; there, the worker itself says what is wrong."""
    source = job.spec.script and job.spec.script.inline
    fault = _syntax_fault(source) if source and job.spec.image is None else ""
    if not fault:
        return None
    message = f"spec.script.inline: {fault}"
    return Rejection(reason="InvalidScript", message=message, permanent=True)


@functools.lru_cache(maxsize=256)
def _syntax_fault(source: str) -> str:
    try:
        ast.parse(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (MemoryError, RecursionError, ValueError) as error:
        return f"Python cannot read it: {error or type(error).__name__}"
    return ""


def _no_gang(job: TrainingJob, observed: Observed) -> Rejection | None:
    if not job.spec.scheduling.gang or observed.defaults.gang_scheduler is not None:
        return None
    message = (
        "spec.scheduling.gang: KubeFit was installed in this cluster without a gang scheduler;"
        " have gang.scheduler of its chart set, or suspend the job and leave the field out"
    )
    return Rejection(reason="NoGangScheduler", message=message, permanent=False)


def _missing_claim(observed: Observed) -> Rejection | None:
    for field, name in claims.named(observed.resource):
        if name not in observed.claims:
            message = (
                f"{field}: there is no PersistentVolumeClaim {name!r} in the namespace"
                f" {observed.namespace}; the job starts once there is one"
            )
            return Rejection(reason="ClaimNotFound", message=message, permanent=False)
    return None


def _name_in_use(job: TrainingJob, observed: Observed) -> Rejection | None:
    """New workers must not meet, under the same host names, workers of a job that was deleted."""
    starts = observed.job is None and not job.spec.run_policy.suspend
    if not starts or not observed.leftovers:
        return None
    message = (
        f"metadata.name: earlier pods of this name still end"
        f" ({', '.join(sorted(observed.leftovers)[:3])}); the job starts once they are gone"
    )
    return Rejection(reason="NameInUse", message=message, permanent=False)


def _refused(observed: Observed) -> Rejection | None:
    if not observed.refusal:
        return None
    return Rejection(reason="ObjectRefused", message=observed.refusal, permanent=False)
