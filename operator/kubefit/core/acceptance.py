"""Whether a TrainingJob can be run at all: what its schema cannot say."""

import ast
from dataclasses import dataclass

from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core.observed import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a job is not run."""

    reason: str
    message: str
    permanent: bool
    """Nothing but another specification helps."""


def accept(observed: Observed) -> TrainingJob | Rejection:
    """The parsed job, or why it is not run (yet)."""
    document = {key: value for key, value in observed.resource.items() if key != "status"}
    try:
        job = read_job(document)
    except ValidationError as error:
        return Rejection(reason="InvalidSpec", message="; ".join(explain(error)), permanent=True)
    return (
        _bad_script(job)
        or _bad_claim(job, observed)
        or _name_in_use(observed)
        or _refused(observed)
        or job
    )


def _bad_script(job: TrainingJob) -> Rejection | None:
    source = job.spec.script and job.spec.script.inline
    if not source:
        return None
    try:
        ast.parse(source)
    except SyntaxError as error:
        message = f"spec.script.inline: line {error.lineno}: {error.msg}"
        return Rejection(reason="InvalidScript", message=message, permanent=True)
    return None


def _bad_claim(job: TrainingJob, observed: Observed) -> Rejection | None:
    name = job.spec.storage.claim
    if name is None or observed.claim is not None:
        return None
    message = (
        f"spec.storage.claim: there is no PersistentVolumeClaim {name!r} in the namespace"
        f" {observed.namespace}; the job starts once there is one"
    )
    return Rejection(reason="ClaimNotFound", message=message, permanent=False)


def _name_in_use(observed: Observed) -> Rejection | None:
    """New workers must not meet, under the same host names, workers of a job that was deleted."""
    if observed.job is not None or not observed.leftovers:
        return None
    message = (
        f"metadata.name: pods of an earlier job of this name still end"
        f" ({', '.join(sorted(observed.leftovers)[:3])}); the job starts once they are gone"
    )
    return Rejection(reason="NameInUse", message=message, permanent=False)


def _refused(observed: Observed) -> Rejection | None:
    if not observed.refusal:
        return None
    return Rejection(reason="ObjectRefused", message=observed.refusal, permanent=False)
