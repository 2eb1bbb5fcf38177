"""Whether a TrainingJob can be run at all: what its schema cannot say."""

import ast
import dataclasses
import functools
from dataclasses import dataclass

from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core import claims
from kubefit.core.observed import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a job is not run."""

    reason: str
    message: str
    permanent: bool
    """Nothing but another specification helps."""
    job: TrainingJob | None = None
    """The parsed job, where the specification could be read."""


def accept(observed: Observed) -> TrainingJob | Rejection:
    """The parsed job, or why it is not run (yet)."""
    document = {key: value for key, value in observed.resource.items() if key != "status"}
    try:
        job = read_job(document)
    except ValidationError as error:
        return Rejection(reason="InvalidSpec", message="; ".join(explain(error)), permanent=True)
    found = (
        _bad_script(job) or _missing_claim(observed) or _name_in_use(observed) or _refused(observed)
    )
    return dataclasses.replace(found, job=job) if found else job


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


def _missing_claim(observed: Observed) -> Rejection | None:
    for field, name in claims.named(observed.resource):
        if name not in observed.claims:
            message = (
                f"{field}: there is no PersistentVolumeClaim {name!r} in the namespace"
                f" {observed.namespace}; the job starts once there is one"
            )
            return Rejection(reason="ClaimNotFound", message=message, permanent=False)
    return None


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
